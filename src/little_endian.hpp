// SPDX-License-Identifier: Apache-2.0
// Little-endian scalars at any alignment.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstring>

namespace gradtail {
inline namespace v0 {
namespace detail {

/// The value with its bytes as the wire has them. Its own inverse.
template <std::unsigned_integral T>
[[nodiscard]] constexpr T little_endian(T value) noexcept {
  if constexpr (std::endian::native == std::endian::little) return value;
  T swapped = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    swapped = static_cast<T>(swapped << 8 | (value >> (8 * i) & 0xFF));
  }
  return swapped;
}

/// Reads sizeof(T) bytes, which the caller has shown to be there.
template <std::unsigned_integral T>
[[nodiscard]] inline T load(const std::byte* from) noexcept {
  T value;
  std::memcpy(&value, from, sizeof value);
  return little_endian(value);
}

/// Writes sizeof(T) bytes, for which the caller has shown that there is room.
template <std::unsigned_integral T>
inline void store(std::byte* to, T value) noexcept {
  value = little_endian(value);
  std::memcpy(to, &value, sizeof value);
}

}  // namespace detail
}  // namespace v0
}  // namespace gradtail
