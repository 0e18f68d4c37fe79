// SPDX-License-Identifier: Apache-2.0
// CRC-32C (Castagnoli, reflected) over whole 8-byte words, which is all that a trailer needs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "gradtail/export.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail {

/// tables[k][b] is the CRC of byte b followed by k zero bytes (slicing by 8: Kounavis and Berry,
/// "A Systematic Approach to Building High Performance Software-based CRC Generators", 2005).
using CrcTables = std::array<std::array<std::uint32_t, 256>, 8>;

inline constexpr CrcTables crc_tables = [] {
  constexpr std::uint32_t polynomial = 0x82F63B78;  // 0x1EDC6F41, reflected
  CrcTables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? polynomial : 0);
    tables[0][byte] = crc;
  }
  for (std::size_t k = 1; k < 8; ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t crc = tables[k - 1][byte];
      tables[k][byte] = crc >> 8 ^ tables[0][crc & 0xFF];
    }
  }
  return tables;
}();

/// Adds one little-endian word to a CRC. For every machine, and for constants.
[[nodiscard]] constexpr std::uint32_t crc32c_step(std::uint32_t crc, std::uint64_t word) noexcept {
  word ^= crc;
  const auto byte = [word](unsigned i) { return static_cast<std::size_t>(word >> (8 * i) & 0xFF); };
  return crc_tables[7][byte(0)] ^ crc_tables[6][byte(1)] ^ crc_tables[5][byte(2)] ^
         crc_tables[4][byte(3)] ^ crc_tables[3][byte(4)] ^ crc_tables[2][byte(5)] ^
         crc_tables[1][byte(6)] ^ crc_tables[0][byte(7)];
}

/// What a CRC starts from. At the end all of its bits are inverted.
inline constexpr std::uint32_t crc32c_start = 0xFFFFFFFF;

/// The CRC-32C of `size` bytes, a multiple of 8, and of one more little-endian word. Uses the CPU's
/// instruction if there is one.
[[nodiscard]] std::uint32_t crc32c(const std::byte* bytes, std::size_t size,
                                   std::uint64_t last_word) noexcept;

}  // namespace detail
}  // namespace GRADTAIL_ABI
}  // namespace gradtail
