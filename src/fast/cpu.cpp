// SPDX-License-Identifier: Apache-2.0
// Asks the CPU whether it has an instruction for CRC-32C.
#include "fast/cpu.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail::fast {
namespace {

bool detect() noexcept {
#if defined(__x86_64__)
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  // One machine has one answer.
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_SSE4_2) != 0;  // GCOVR_EXCL_BR_LINE
#elif defined(__aarch64__) && defined(__linux__)
  return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
#else
  return false;
#endif
}

}  // namespace

const bool has_crc_instruction = detect();

}  // namespace detail::fast
}  // namespace GRADTAIL_ABI
}  // namespace gradtail
