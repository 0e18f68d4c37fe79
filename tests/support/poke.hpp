// SPDX-License-Identifier: Apache-2.0
// Changing a message at a known place, for tests of what a reader refuses.
#pragma once

#include <cstddef>
#include <cstdint>

#include "reference.hpp"

/// Overwrites `size` bytes at `at`, little-endian.
inline void poke(reference::Bytes& bytes, std::size_t at, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    bytes.at(at + i) = static_cast<std::byte>(value >> (8 * i));
  }
}

/// Runs `check` on the message at an address that is a multiple of 8, and one byte off.
template <class Check>
void aligned_and_misaligned(const reference::Bytes& message, Check check) {
  reference::Bytes room(message.size() + 16);
  const auto base = reinterpret_cast<std::uintptr_t>(room.data());
  for (const std::size_t off : {(8 - base % 8) % 8, (8 - base % 8) % 8 + 1}) {
    std::copy(message.begin(), message.end(), room.begin() + static_cast<std::ptrdiff_t>(off));
    check(std::span<const std::byte>(room).subspan(off, message.size()));
  }
}
