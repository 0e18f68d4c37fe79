// SPDX-License-Identifier: Apache-2.0
// One step of a CRC-32C in a register: by the CPU's instruction, or by the portable code.
#pragma once

#include <cstddef>
#include <cstdint>

#include "footer.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail::fast {

/// A CRC in a register: the upper half is 0.
using Crc = std::uint64_t;

struct PortableCrc {
  [[nodiscard]] static Crc add(Crc crc, std::uint64_t word) noexcept {
    return crc32c_step(static_cast<std::uint32_t>(crc), word);
  }
};

// An asm statement, since intrinsics can't be inlined into functions built for the plain CPU.
#if defined(__x86_64__)
struct InstructionCrc {
  [[nodiscard, gnu::always_inline]] static Crc add(Crc crc, std::uint64_t word) noexcept {
    asm("crc32q %1, %0" : "+r"(crc) : "rm"(word));
    return crc;
  }
};
#elif defined(__aarch64__) && defined(__linux__)
struct InstructionCrc {
  [[nodiscard, gnu::always_inline]] static Crc add(Crc crc, std::uint64_t word) noexcept {
    asm(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(word));
    return crc;
  }
};
#else
using InstructionCrc = PortableCrc;
#endif

/// The footer's last word: the inverted CRC and the magic, from the CRC by one XOR.
[[nodiscard]] constexpr std::uint64_t last_word_of(Crc crc) noexcept {
  return Footer{.checksum = 0xFFFFFFFF}.last_word() ^ crc;
}

/// As detail::crc32c, for CPUs with the instruction (has_crc_instruction).
[[nodiscard]] std::uint32_t crc32c(const std::byte* bytes, std::size_t size,
                                   std::uint64_t last_word) noexcept;

}  // namespace detail::fast
}  // namespace GRADTAIL_ABI
}  // namespace gradtail
