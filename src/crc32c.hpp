// SPDX-License-Identifier: Apache-2.0
// CRC-32C (Castagnoli, reflected) over 8-byte little-endian words: all that a trailer needs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "little_endian.hpp"

namespace gradtail {
inline namespace v0 {
namespace detail {

/// What a CRC starts from, and what its result is xored with.
inline constexpr std::uint64_t crc_start = 0xFFFFFFFF;

/// tables[k][b] is the CRC of byte b followed by k zero bytes (slicing by 8: Kounavis and Berry,
/// "A Systematic Approach to Building High Performance Software-based CRC Generators", 2005).
using CrcTables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr CrcTables make_crc_tables() noexcept {
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
}

inline constexpr CrcTables crc_tables = make_crc_tables();

/// For every machine, and for constants. A step takes a CRC and gives one, in 64 bits of which the
/// upper half is 0: the instruction has them so.
struct PortableCrc {
  [[nodiscard]] static constexpr std::uint64_t step(std::uint64_t crc,
                                                    std::uint64_t word) noexcept {
    word ^= crc;
    const auto byte = [word](unsigned i) {
      return static_cast<std::size_t>(word >> (8 * i) & 0xFF);
    };
    return crc_tables[7][byte(0)] ^ crc_tables[6][byte(1)] ^ crc_tables[5][byte(2)] ^
           crc_tables[4][byte(3)] ^ crc_tables[3][byte(4)] ^ crc_tables[2][byte(5)] ^
           crc_tables[1][byte(6)] ^ crc_tables[0][byte(7)];
  }
};

/// For CPUs with an instruction for it, whose presence has_crc_instruction tells. An asm statement,
/// because the intrinsics can't be inlined into functions built for the plain CPU.
#if defined(__x86_64__)
struct HardwareCrc {
  [[nodiscard]] static std::uint64_t step(std::uint64_t crc, std::uint64_t word) noexcept {
    asm("crc32q %1, %0" : "+r"(crc) : "rm"(word));
    return crc;
  }
};
#elif defined(__aarch64__) && defined(__linux__)
struct HardwareCrc {
  [[nodiscard]] static std::uint64_t step(std::uint64_t crc, std::uint64_t word) noexcept {
    asm(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(word));
    return crc;
  }
};
#else
using HardwareCrc = PortableCrc;
#endif

/// Whether this machine has what HardwareCrc needs. Set when the library is loaded; whoever comes
/// before that sees false, and gets the same sums.
extern const bool has_crc_instruction;

/// Asks at each step which of the two it is, and takes little room: for all that is rare.
struct AnyCrc {
  [[nodiscard]] static std::uint64_t step(std::uint64_t crc, std::uint64_t word) noexcept {
    return has_crc_instruction ? HardwareCrc::step(crc, word) : portable_step(crc, word);
  }
  [[nodiscard, gnu::noinline]] static std::uint64_t portable_step(std::uint64_t crc,
                                                                  std::uint64_t word) noexcept {
    return PortableCrc::step(crc, word);
  }
};

/// Continues a CRC over `size` bytes, a multiple of 8.
template <class Crc>
[[nodiscard]] inline std::uint64_t crc_words(std::uint64_t crc, const std::byte* bytes,
                                             std::size_t size) noexcept {
  for (std::size_t i = 0; i < size; i += 8) crc = Crc::step(crc, load<std::uint64_t>(bytes + i));
  return crc;
}

}  // namespace detail
}  // namespace v0
}  // namespace gradtail
