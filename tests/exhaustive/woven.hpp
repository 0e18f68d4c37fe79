// SPDX-License-Identifier: Apache-2.0
// Tables whose root, vtable, fields and map lie anywhere, over each other too.
#pragma once

#include <cstddef>
#include <cstdint>

#include "random.hpp"

/// Draws such a table, mostly valid, into `to` and returns its size, 16..104 bytes.
std::size_t draw_woven(Random& random, std::byte* to);

/// Writes `size` bytes at `at`, little-endian.
inline void put(std::byte* to, std::size_t at, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) to[at + i] = static_cast<std::byte>(value >> (8 * i));
}
