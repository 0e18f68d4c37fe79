// SPDX-License-Identifier: Apache-2.0
// Chooses between the CPU's CRC instruction and the portable code.
#include "crc32c.hpp"

#include "fast/cpu.hpp"
#include "fast/crc_instruction.hpp"
#include "little_endian.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail {

std::uint32_t crc32c(const std::byte* bytes, std::size_t size, std::uint64_t last_word) noexcept {
#if GRADTAIL_FAST_PATH
  if (fast::has_crc_instruction) return fast::crc32c(bytes, size, last_word);
#endif
  std::uint32_t crc = crc32c_start;
  for (std::size_t i = 0; i < size; i += 8) {
    crc = crc32c_step(crc, detail::load<std::uint64_t>(bytes + i));
  }
  return ~crc32c_step(crc, last_word);
}

}  // namespace detail
}  // namespace GRADTAIL_ABI
}  // namespace gradtail
