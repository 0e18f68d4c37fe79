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
  Line line;
  std::string_view offset;
  std::vector<std::string_view> words;
  bool repeats = false;  ///< a '*': as the line before, up to the next offset
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
  DumpLine dump{line, {}, {}};
  std::string_view rest = line.text;
  dump.offset = next_word(rest, "");
  if (dump.offset == "*") return dump.repeats = true, dump;
  const bool has_colon = dump.offset.ends_with(':');
  if (has_colon) dump.offset.remove_suffix(1);
  if (!is_hex(dump.offset)) fail(line, "there is no offset, as the first line has");
  while (true) {
    std::size_t blanks_before = 0;
    const std::string_view word = next_word(rest, "", &blanks_before);
    // The characters of the bytes follow behind two blanks (xxd) or three (Wireshark).
    const bool is_gap = !dump.words.empty() && blanks_before >= (has_colon ? 2U : 3U);
    if (is_gap || !is_hex(word) || word.size() % 2 != 0) return dump;
    dump.words.push_back(word);
  }
}

std::size_t bytes_in(const DumpLine& dump) {
  std::size_t digits = 0;
  for (const std::string_view word : dump.words) digits += word.size();
  return digits / 2;
}

/// The base of the offsets: the one in which they count the first line's bytes. od's are octal.
int base_of(const std::vector<DumpLine>& dump) {
  const bool is_like_od = dump[0].offset.size() == 7;
  if (dump.size() < 2 || dump[1].repeats) return is_like_od ? 8 : 16;
  // Fewer than are there only if no base counts all: characters may look like more bytes.
  for (const bool may_be_fewer : {false, true}) {
    for (const int base : {16, 8, 10}) {
      const auto from = number(dump[0].offset, base);
      const auto to = number(dump[1].offset, base);
      if (!from || !to || *to <= *from) continue;
      const std::uint64_t counted = *to - *from;
      if (counted == bytes_in(dump[0]) || (may_be_fewer && counted < bytes_in(dump[0]))) {
        return base;
      }
    }
  }
  fail(dump[1].line, "its offset doesn't follow from the line before");
}

/// Makes what there is so far end where a line's offset says: repeats the row before a '*', and
/// takes back characters that looked like bytes.
void continue_at(const DumpLine& line, std::size_t size, const Bytes& row, bool repeats,
                 Bytes& bytes) {
  if (size > most_in_dump) fail(line.line, "its offset is over 64 MiB");
  while (repeats && !row.empty() && bytes.size() < size) {
    bytes.insert(bytes.end(), row.begin(), row.end());
  }
  if (bytes.size() > size && bytes.size() - size < row.size()) bytes.resize(size);
  if (bytes.size() < size) fail(line.line, "its offset says that bytes are missing before it");
  if (bytes.size() > size) fail(line.line, "its offset says that fewer bytes are before it");
}

Bytes from_dump(const std::vector<Line>& lines) {
  std::vector<DumpLine> dump;
  dump.reserve(lines.size());
  for (const Line& line : lines) dump.push_back(dump_line(line));
  const int base = base_of(dump);
  const auto offset_of = [&](const DumpLine& line) {
    const auto offset = number(line.offset, base);
    if (!offset) fail(line.line, "its offset is wrong");
    return *offset;
  };
  const std::uint64_t start = offset_of(dump[0]);
  Bytes bytes;
  Bytes row;
  for (std::size_t i = 0; i < dump.size(); ++i) {
    if (dump[i].repeats) continue;
    const std::uint64_t offset = offset_of(dump[i]);
    if (offset < start) fail(dump[i].line, "its offset is less than the first");
    continue_at(dump[i], offset - start, row, i > 0 && dump[i - 1].repeats, bytes);
    row.clear();
    for (const std::string_view word : dump[i].words) add_pairs(row, word);
    bytes.insert(bytes.end(), row.begin(), row.end());
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
