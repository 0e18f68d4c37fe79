// SPDX-License-Identifier: Apache-2.0
// gradtail's footer for the peers, whose formats have neither length nor checksum of their own.
//
// As FORMAT.md has it, but for the multiple of 8, which not all of them can keep.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace bench {

inline constexpr std::size_t footer_size = 16;

/// Writes the footer behind the `size` bytes at `table`. Returns the size of both together.
std::size_t seal(std::byte* table, std::size_t size, std::uint64_t payload_size);

/// The bytes between payload and footer, once magic, version, flags, length, limit (4096) and
/// checksum have been checked; empty where one of them is wrong.
std::span<const std::byte> unseal(std::span<const std::byte> message);

}  // namespace bench
