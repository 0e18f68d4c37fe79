// SPDX-License-Identifier: Apache-2.0
// Stands in for src/fast/cpu.cpp: a machine without an instruction for CRC-32C.
#include "fast/cpu.hpp"

#if GRADTAIL_FAST_PATH
const bool gradtail::detail::fast::has_crc_instruction = false;
#endif
