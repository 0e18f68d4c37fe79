// SPDX-License-Identifier: Apache-2.0
#include "input.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "failure.hpp"
#include "text_input.hpp"

namespace gradtail::cli {
namespace {

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Close>;

[[noreturn]] void fail(const std::string& doing, const std::string& path) {
  throw Failure("cannot " + doing + " " + path + ": " + std::strerror(errno));
}

std::string read_all(std::FILE* file, const std::string& path) {
  std::string content;
  std::array<char, 1 << 16> chunk;
  while (const std::size_t size = std::fread(chunk.data(), 1, chunk.size(), file)) {
    content.append(chunk.data(), size);
  }
  if (std::ferror(file) != 0) fail("read", path);
  return content;
}

std::vector<std::byte> raw(std::string_view content) {
  const auto* first = reinterpret_cast<const std::byte*>(content.data());
  return {first, first + content.size()};
}

/// The magic of a message has a byte that isn't text, so a whole message never is.
bool is_text(std::string_view content) {
  return std::ranges::all_of(content, [](char c) {
    return (c >= ' ' && c <= '~') || c == '\n' || c == '\r' || c == '\t';
  });
}

Input decode(std::string_view content, Encoding encoding) {
  if (encoding == Encoding::hex) return {from_hex(content), encoding};
  if (encoding == Encoding::base64) return {from_base64(content), encoding};
  if (encoding == Encoding::automatic && is_text(content)) {
    if (is_dump(content)) return decode(content, Encoding::hex);
    for (const Encoding guess : {Encoding::hex, Encoding::base64}) {
      try {
        if (Input input = decode(content, guess); !input.bytes.empty()) return input;
      } catch (const Failure&) {  // it isn't that
      }
    }
  }
  return {raw(content), Encoding::raw};
}

constexpr std::array<std::string_view, 4> names{"auto", "raw", "hex", "base64"};

}  // namespace

Input read_input(const std::string& path, Encoding encoding) {
  if (path == "-") return decode(read_all(stdin, "standard input"), encoding);
  const File file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) fail("open", path);
  return decode(read_all(file.get(), path), encoding);
}

std::string_view to_string(Encoding encoding) {
  return names.at(static_cast<std::size_t>(encoding));
}

Encoding encoding_of(std::string_view name) {
  return static_cast<Encoding>(std::ranges::find(names, name) - names.begin());
}

void write_output(const std::string& path, std::string_view bytes) {
  File opened;
  std::FILE* file = stdout;
  if (path != "-") {
    opened.reset(std::fopen(path.c_str(), "wb"));
    if (opened == nullptr) fail("write", path);
    file = opened.get();
  }
  if (std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size() || std::fflush(file) != 0) {
    fail("write", path);
  }
}

}  // namespace gradtail::cli
