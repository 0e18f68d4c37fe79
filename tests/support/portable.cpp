// SPDX-License-Identifier: Apache-2.0
// Stands in for src/crc32c.cpp: a machine without an instruction for CRC-32C.
#include "crc32c.hpp"

const bool gradtail::detail::has_crc_instruction = false;
