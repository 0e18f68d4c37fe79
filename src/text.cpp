// SPDX-License-Identifier: Apache-2.0
// Appends words and numbers.
#include "text.hpp"

#include <array>
#include <charconv>

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail {

Text& Text::operator<<(std::string_view words) {
  text.append(words);
  return *this;
}

// Cold: logs can wait. Otherwise std::to_chars is unrolled, and the library is 280 bytes larger
// (gcc 12).
[[gnu::cold]] Text& Text::operator<<(std::uint64_t number) {
  std::array<char, 20> digits;  // NOLINT(*-member-init): to_chars writes what is used
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  return *this << std::string_view(digits.data(), end);
}

Text& Text::operator<<(std::int64_t number) {
  const auto bits = static_cast<std::uint64_t>(number);
  if (number < 0) *this << "-";
  return *this << (number < 0 ? 0 - bits : bits);
}

}  // namespace detail
}  // namespace GRADTAIL_ABI
}  // namespace gradtail
