// SPDX-License-Identifier: Apache-2.0
// CRC-32C by the CPU's instruction.
#include "fast/crc_instruction.hpp"

#include "little_endian.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail::fast {

std::uint32_t crc32c(const std::byte* bytes, std::size_t size, std::uint64_t last_word) noexcept {
  Crc crc = crc32c_start;
  for (std::size_t i = 0; i < size; i += 8) {
    crc = InstructionCrc::add(crc, detail::load<std::uint64_t>(bytes + i));
  }
  return ~static_cast<std::uint32_t>(InstructionCrc::add(crc, last_word));
}

}  // namespace detail::fast
}  // namespace GRADTAIL_ABI
}  // namespace gradtail
