// SPDX-License-Identifier: Apache-2.0
// Little-endian numbers at any alignment.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstring>

#include "gradtail/export.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail {

/// The value with its bytes in wire order, or the value of such bytes: the function is its own
/// inverse.
template <std::unsigned_integral T>
[[nodiscard]] constexpr T little_endian(T value) noexcept {
  if constexpr (std::endian::native == std::endian::little) return value;
  T swapped = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    swapped = static_cast<T>(swapped << 8 | (value >> (8 * i) & 0xFF));
  }
  return swapped;
}

/// Reads sizeof(T) bytes; the caller has checked that they are there.
template <std::unsigned_integral T>
[[nodiscard]] inline T load(const std::byte* from) noexcept {
  T value;
  std::memcpy(&value, from, sizeof value);
  return little_endian(value);
}

/// The same for a number that decides which bytes are accessed next. A peer may still be writing
/// the message (shared memory): what was compared with a bound must be what is used, so the empty
/// asm statement keeps the compiler from reading the number a second time.
template <std::unsigned_integral T>
[[nodiscard]] inline T load_once(const std::byte* from) noexcept {
  T value = detail::load<T>(from);
  asm("" : "+r"(value));
  return value;
}

/// Writes sizeof(T) bytes; the caller has checked that there is room.
template <std::unsigned_integral T>
constexpr void store(std::byte* to, T value) noexcept {
  value = little_endian(value);
  if (std::is_constant_evaluated()) {  // GCOVR_EXCL_BR_LINE: never when it runs
    const auto bytes = std::bit_cast<std::array<std::byte, sizeof(T)>>(value);  // GCOVR_EXCL_LINE
    std::copy(bytes.begin(), bytes.end(), to);                                  // GCOVR_EXCL_LINE
  } else {
    std::memcpy(to, &value, sizeof value);
  }
}

}  // namespace detail
}  // namespace GRADTAIL_ABI
}  // namespace gradtail
