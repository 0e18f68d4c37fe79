// SPDX-License-Identifier: Apache-2.0
// Error texts that also say what was found in the message.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "gradtail/bytes.hpp"
#include "gradtail/error.hpp"
#include "gradtail/export.hpp"
#include "gradtail/metadata.hpp"
#include "gradtail/wire.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail {

/// The type of the number that a field holds; no bytes if it holds none.
struct NumberType {
  std::size_t size = 0;
  bool is_signed = false;
};
[[nodiscard]] GRADTAIL_API NumberType number_type(Field field) noexcept;

/// The little-endian number at the start of `bytes`, which has at least as many as the type.
[[nodiscard]] inline std::string number_text(std::span<const std::byte> bytes, NumberType type) {
  std::uint64_t number = 0;
  for (std::size_t i = type.size; i-- > 0;) {
    number = number << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  }
  const std::size_t unused = 64 - 8 * type.size;
  if (!type.is_signed) return std::to_string(number);
  return std::to_string(static_cast<std::int64_t>(number << unused) >> unused);
}

/// "47 54 4C A7"
[[nodiscard]] inline std::string hex_text(std::span<const std::byte> bytes) {
  constexpr const char* digits = "0123456789ABCDEF";
  std::string text;
  for (const std::byte byte : bytes) {
    if (!text.empty()) text += ' ';
    text += digits[std::to_integer<unsigned>(byte) / 16];
    text += digits[std::to_integer<unsigned>(byte) % 16];
  }
  return text;
}

/// What is in the message where the error is. Empty if that isn't one value or isn't in the
/// message.
[[nodiscard]] inline std::string found_text(const Error& error,
                                            std::span<const std::byte> message) {
  if (message.size() < footer_size || error.offset > message.size()) return {};
  const std::span<const std::byte> bytes = message.subspan(error.offset);
  if (bytes.size() < 8 && error.check != Check::magic) return {};
  switch (error.check) {  // GCOVR_EXCL_BR_LINE: there are no other checks
    case Check::version:
    case Check::required_flags:
      return detail::number_text(bytes, {.size = 2});
    case Check::trailer_size:
    case Check::limit:
      return detail::number_text(bytes, {.size = 4});
    case Check::magic:
    case Check::checksum:
    case Check::identifier:
      return detail::hex_text(bytes.first((std::min)(bytes.size(), std::size_t{4})));
    case Check::layout:
    case Check::values:
    case Check::room:
    case Check::presence:
      break;
  }
  if (error.check != Check::values) return {};
  if (const NumberType type = detail::number_type(error.field); type.size != 0) {
    return detail::number_text(bytes, type);
  }
  if (error.field == Field::device_map_size) return detail::number_text(bytes, {.size = 4});
  // All other fields are no part of a message: ids, and numbers that aren't enumerators.
  if (error.field < Field::device_map_type || error.field > Field::device_map_target) return {};
  DevicePair pair = {{}, {}};
  std::memcpy(&pair, bytes.data(), sizeof pair);
  return to_string(pair.source) + " to " + to_string(pair.target);
}

}  // namespace detail

/// The sentence of `to_string(error)` and what is wrong in the message: "...; found -7". `message`
/// is what was refused, in one piece and unchanged. Leaves out what can't be said as one value: a
/// wrong layout, a message that is too short. For errors of reading. Allocates strings.
template <ByteRange R>
[[nodiscard]] std::string to_string(const Error& error, const R& message) {
  std::string text = to_string(error);
  const std::string found = detail::found_text(error, detail::readable(message));
  if (!found.empty()) text += "; found " + found;
  return text;
}

}  // namespace GRADTAIL_ABI
}  // namespace gradtail
