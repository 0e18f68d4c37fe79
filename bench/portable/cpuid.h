// SPDX-License-Identifier: Apache-2.0
// In place of the compiler's <cpuid.h>: a CPU without any instruction that has to be asked for.
//
// A library built with this folder in front of the include path uses the portable CRC-32C.
#pragma once

#define bit_SSE4_2 (1 << 20)

inline int __get_cpuid(unsigned, unsigned*, unsigned*, unsigned*, unsigned*) { return 0; }
