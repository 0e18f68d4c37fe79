// SPDX-License-Identifier: Apache-2.0
// What the CPU can do.
#pragma once

#include "gradtail/export.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail::fast {

#if GRADTAIL_FAST_PATH
/// Whether the CPU has a CRC-32C instruction. Set when the library is loaded: code that runs
/// earlier (static initializers) finds false, uses the portable implementation and gets the same
/// result.
extern const bool has_crc_instruction;
#else
inline constexpr bool has_crc_instruction = false;
#endif

}  // namespace detail::fast
}  // namespace GRADTAIL_ABI
}  // namespace gradtail
