// SPDX-License-Identifier: Apache-2.0
#include "text_input.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>

#include "failure.hpp"

namespace gradtail::cli {
namespace {

using Bytes = std::vector<std::byte>;

/// A line of a dump can stand for any number of bytes.
constexpr std::size_t most_in_dump = std::size_t{64} << 20;

constexpr std::string_view hex_digits = "0123456789abcdefABCDEF";
constexpr std::string_view blanks = " \t\r\n\v\f";

bool is_hex(std::string_view word) {
  return !word.empty() && word.find_first_not_of(hex_digits) == word.npos;
}

std::optional<std::uint64_t> number(std::string_view digits, int base) {
  std::uint64_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc() || end != digits.data() + digits.size()) return {};
  return value;
}

/// Takes the next word off the front: what is between blanks and the given separators. Tells how
/// many blanks were before it.
std::string_view next_word(std::string_view& text, std::string_view separators,
                           std::size_t* blanks_before = nullptr) {
  const std::string all = std::string(blanks) + std::string(separators);
  const std::size_t begin = std::min(text.find_first_not_of(all), text.size());
  if (blanks_before != nullptr) *blanks_before = begin;
  text.remove_prefix(begin);
  const std::string_view word = text.substr(0, text.find_first_of(all));
  text.remove_prefix(word.size());
  return word;
}

struct Line {
  std::size_t number;
  std::string_view text;
};

[[noreturn]] void fail(const Line& line, const std::string& what) {
  throw Failure("line " + std::to_string(line.number) + " of the hex text: " + what);
}

/// The lines that aren't empty, without what is behind a bar: comments, and hexdump's characters.
std::vector<Line> lines_of(std::string_view text) {
  std::vector<Line> lines;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    line = line.substr(0, line.find('|'));
    if (line.find_first_not_of(blanks) != line.npos) lines.push_back({number, line});
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

void add_pairs(Bytes& bytes, std::string_view digits) {
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(*number(digits.substr(i, 2), 16)));
  }
}

// Dumps with an offset at the start of each line.

struct DumpLine {
  std::string_view offset;  ///< or "*": as the line before, up to the next offset
  Bytes bytes;
};

/// Whether a line begins with an offset: "00000010:" or, before words of two digits, "00000010".
bool begins_with_offset(std::string_view text) {
  const std::string_view first = next_word(text, "");
  if (first.size() > 1 && first.back() == ':' && is_hex(first.substr(0, first.size() - 1)) &&
      first.size() >= 5) {
    return true;
  }
  const std::string_view second = next_word(text, "");
  return first.size() >= 4 && is_hex(first) && second.size() == 2 && is_hex(second);
}

DumpLine dump_line(const Line& line) {
  DumpLine dump;
  std::string_view rest = line.text;
  dump.offset = next_word(rest, "");
  const bool has_colon = dump.offset.ends_with(':');
  if (has_colon) dump.offset.remove_suffix(1);
  while (true) {
    std::size_t blanks_before = 0;
    const std::string_view word = next_word(rest, "", &blanks_before);
    // The characters of the bytes follow behind two blanks (xxd) or three (Wireshark).
    const bool is_gap = !dump.bytes.empty() && blanks_before >= (has_colon ? 2U : 3U);
    if (is_gap || !is_hex(word) || word.size() % 2 != 0) return dump;
    add_pairs(dump.bytes, word);
  }
}

Bytes from_dump(const std::vector<Line>& lines) {
  Bytes bytes;
  Bytes row;
  bool repeats = false;
  std::optional<std::uint64_t> start;
  for (const Line& line : lines) {
    DumpLine dump = dump_line(line);
    if (dump.offset == "*") {
      repeats = true;
      continue;
    }
    // od's offsets are octal, of seven digits.
    const auto offset = number(dump.offset, dump.offset.size() == 7 ? 8 : 16);
    if (!offset) fail(line, "there is no offset, as the first line has");
    if (!start) start = offset;
    const std::uint64_t size = *offset - *start;
    if (*offset < *start || size > most_in_dump) fail(line, "its offset is out of range");
    while (repeats && !row.empty() && bytes.size() < size) {
      bytes.insert(bytes.end(), row.begin(), row.end());
    }
    if (bytes.size() != size) fail(line, "its offset doesn't follow from the lines before");
    bytes.insert(bytes.end(), dump.bytes.begin(), dump.bytes.end());
    row = std::move(dump.bytes);
    repeats = false;
  }
  return bytes;
}

// Digits and nothing else.

Bytes from_digits(const std::vector<Line>& lines) {
  Bytes bytes;
  for (const Line& line : lines) {
    std::string_view rest = line.text;
    while (true) {
      std::string_view word = next_word(rest, ",;:{}[]()<>\"'\\");
      if (word.empty()) break;
      const bool is_number = word.starts_with("0x") || word.starts_with("0X");
      if (is_number) word.remove_prefix(2);
      if (word.starts_with('x')) word.remove_prefix(1);  // \x47
      if (!is_hex(word)) fail(line, "'" + std::string(word) + "' isn't hex");
      if (is_number && word.size() == 1) {
        bytes.push_back(static_cast<std::byte>(*number(word, 16)));
      } else if (word.size() % 2 != 0) {
        fail(line, "'" + std::string(word) + "' has an odd number of digits");
      } else {
        add_pairs(bytes, word);
      }
    }
  }
  return bytes;
}

/// hexdump and od without options print numbers of 16 bits, in the machine's byte order.
bool is_of_words(std::string_view text) {
  const std::string_view offset = next_word(text, "");
  if (offset.size() != 7 || !is_hex(offset)) return false;
  for (int i = 0; i < 8; ++i) {
    if (const auto word = next_word(text, ""); word.size() != 4 || !is_hex(word)) return false;
  }
  return true;
}

int base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  if (c == '/' || c == '_') return 63;
  return -1;
}

}  // namespace

bool is_dump(std::string_view text) {
  const std::vector<Line> lines = lines_of(text);
  return !lines.empty() && (is_of_words(lines[0].text) || begins_with_offset(lines[0].text));
}

std::vector<std::byte> from_hex(std::string_view text) {
  const std::vector<Line> lines = lines_of(text);
  if (lines.empty()) return {};
  if (is_of_words(lines[0].text)) {
    fail(lines[0],
         "these are numbers of 16 bits, in an order of bytes that isn't certain: "
         "dump the file with hexdump -C or xxd");
  }
  return begins_with_offset(lines[0].text) ? from_dump(lines) : from_digits(lines);
}

std::vector<std::byte> from_base64(std::string_view text) {
  std::vector<std::byte> bytes;
  std::uint32_t bits = 0;
  std::size_t count = 0;
  std::size_t padding = 0;
  for (const char c : text) {
    if (blanks.find(c) != blanks.npos) continue;
    if (c == '=') {
      ++padding;
      continue;
    }
    const int value = base64_value(c);
    if (value < 0 || padding != 0) {
      throw Failure("the text isn't base64: '" + std::string(1, c) + "' can't be there");
    }
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    ++count;
    if (count % 4 != 1)
      bytes.push_back(static_cast<std::byte>(bits >> (4 - count % 4) % 4 * 2 & 0xFF));
  }
  const std::size_t rest = count % 4;
  if (rest == 1 || (padding != 0 && padding != (4 - rest) % 4)) {
    throw Failure("the text isn't base64: its length is wrong, so it may be cut");
  }
  return bytes;
}

}  // namespace gradtail::cli
