// SPDX-License-Identifier: Apache-2.0
#include "print.hpp"

#include <algorithm>
#include <string_view>

#include "gradtail/found.hpp"

namespace gradtail::cli {
namespace {

constexpr std::size_t bytes_per_line = 8;
constexpr std::size_t payload_lines = 2;

/// Text with ANSI escape sequences, or without.
class Painter {
 public:
  explicit Painter(bool color) : color_(color) {}

  [[nodiscard]] std::string operator()(std::string_view style, std::string_view text) const {
    if (!color_ || text.empty()) return std::string(text);
    return "\033[" + std::string(style) + "m" + std::string(text) + "\033[0m";
  }

 private:
  bool color_;
};

constexpr std::string_view bold = "1";
constexpr std::string_view dim = "2";
constexpr std::string_view red = "1;31";
constexpr std::string_view green = "1;32";
constexpr std::string_view marked = "1;37;41";

std::string_view style_of(Kind kind) {
  switch (kind) {
    case Kind::payload:
      return dim;
    case Kind::table:
      return "36";
    case Kind::field:
      return "32";
    case Kind::footer:
      return "33";
  }
  return "0";
}

class TextPrinter {
 public:
  TextPrinter(const Subject& subject, const Anatomy& anatomy, bool color)
      : bytes_(subject.bytes), anatomy_(anatomy), paint_(color) {}

  std::string print() {
    line("", "byte", "end", "bytes", std::string(3 * bytes_per_line - 1 - 5, ' '), "what",
         "meaning");
    for (const Part& part : anatomy_.parts) print_part(part);
    print_verdict();
    return std::move(text_);
  }

 private:
  void print_part(const Part& part) {
    const bool is_payload = part.kind == Kind::payload;
    const std::size_t shown =
        is_payload ? std::min(part.size, payload_lines * bytes_per_line) : part.size;
    for (std::size_t i = 0; i < std::max<std::size_t>(shown, 1); i += bytes_per_line) {
      const std::size_t size = std::min(bytes_per_line, shown - i);
      const bool is_first = i == 0;
      const bool is_cut = is_payload && shown < part.size && i + bytes_per_line >= shown;
      print_line(part, part.offset + i, size, is_first, is_cut);
    }
  }

  void print_line(const Part& part, std::size_t at, std::size_t size, bool is_first, bool is_cut) {
    std::string hex;
    bool has_error = false;
    for (std::size_t i = at; i < at + size; ++i) {
      const bool is_wrong = anatomy_.error && anatomy_.error->offset == i;
      has_error |= is_wrong;
      if (i != at) hex += ' ';
      hex += paint_(is_wrong ? marked : style_of(part.kind), hex_of(bytes_.subspan(i, 1)));
    }
    if (is_cut) hex += " ...";
    const std::size_t width = size == 0 ? 0 : 3 * size - 1 + (is_cut ? 4 : 0);
    const std::size_t room = 3 * bytes_per_line - 1;
    line(has_error ? paint_(red, ">") : "", std::to_string(at),
         "-" + std::to_string(anatomy_.size - at), hex,
         std::string(room - std::min(room, width), ' '),
         is_first ? paint_(style_of(part.kind), part.name) : "",
         is_first ? paint_(has_error ? red : "0", part.meaning) : "",
         is_first ? part.name.size() : 0);
  }

  /// Columns; the widths of painted ones are given.
  void line(std::string_view mark, std::string_view at, std::string_view end, std::string_view hex,
            std::string_view pad, std::string_view name, std::string_view meaning,
            std::size_t name_width = 4) {
    constexpr std::size_t name_room = 22;
    text_ += mark.empty() ? " " : mark;
    text_ += right(at, 8) + right(end, 8) + "  " + std::string(hex) + std::string(pad) + "  " +
             std::string(name);
    if (!meaning.empty()) {
      text_ += std::string(name_room - std::min(name_room, name_width), ' ') + std::string(meaning);
    }
    text_.erase(text_.find_last_not_of(' ') + 1);
    text_ += '\n';
  }

  static std::string right(std::string_view text, std::size_t width) {
    return std::string(width - std::min(width, text.size()), ' ') + std::string(text);
  }

  void print_verdict() {
    text_ += '\n';
    if (!anatomy_.error) {
      text_ += paint_(green, "accepted") + ": " + to_string(anatomy_.metadata) + "\n";
      return;
    }
    const std::string sentence = to_string(*anatomy_.error, bytes_.first(anatomy_.size));
    text_ += paint_(red, "refused") + ": " + paint_(bold, sentence) + "\n";
    text_ += "check: " + std::string(to_string(anatomy_.error->check));
    if (anatomy_.error->field != Field::none) {
      text_ += ", field: " + std::string(to_string(anatomy_.error->field));
    }
    text_ += "\nreceiver: " + advice(*anatomy_.error) + "\n";
    for (const std::string& hint : anatomy_.hints) text_ += "hint: " + hint + "\n";
  }

  std::span<const std::byte> bytes_;
  const Anatomy& anatomy_;
  Painter paint_;
  std::string text_;
};

}  // namespace

std::string hex_of(std::span<const std::byte> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    const auto value = std::to_integer<std::size_t>(byte);
    text += digits[value / 16];
    text += digits[value % 16];
  }
  return text;
}

std::string as_text(const Subject& subject, const Anatomy& anatomy, bool color) {
  return TextPrinter(subject, anatomy, color).print();
}

}  // namespace gradtail::cli
