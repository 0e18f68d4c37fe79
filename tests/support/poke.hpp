// SPDX-License-Identifier: Apache-2.0
// Changing a message at a known place, for tests of what a reader refuses.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "reference.hpp"

/// Overwrites `size` bytes at `at`, little-endian.
inline void poke(reference::Bytes& bytes, std::size_t at, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    bytes.at(at + i) = static_cast<std::byte>(value >> (8 * i));
  }
}

inline void flip(reference::Bytes& message, std::size_t bit) {
  message[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
}

/// The message with one bit changed.
inline reference::Bytes flipped(reference::Bytes message, std::size_t bit) {
  flip(message, bit);
  return message;
}

/// Runs `check` on the message with each bit from `first_bit` on changed: with the checksum as it
/// was and, where the bit is in front of the footer, with one that holds.
template <class Check>
void each_flip(const reference::Bytes& message, std::size_t first_bit, Check check) {
  for (std::size_t bit = first_bit; bit < 8 * message.size(); ++bit) {
    reference::Bytes changed = flipped(message, bit);
    check(changed, bit);
    if (bit / 8 >= message.size() - 16) continue;
    reference::mend_checksum(changed);
    check(changed, bit);
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
