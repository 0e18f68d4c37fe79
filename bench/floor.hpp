// SPDX-License-Identifier: Apache-2.0
// The floor: the least that a safe answer can cost, written to win.
//
//     payload | context_id 8 | message_id 8 | worker 4 | type 4 | CRC 4 | size 4 | magic 4
//
// One build at both ends, one set of fields for ever, nothing optional. What it checks: length,
// magic, and CRC-32C over the scalars and the payload's size.
#pragma once

#include "job.hpp"

namespace bench {

inline constexpr std::size_t floor_size = 36;

/// Writes floor_size bytes.
void floor_write(std::byte* to, const Scalars& scalars, std::uint64_t payload_size);

/// Whether the message ends in a whole trailer; then `scalars` are its own.
bool floor_read(std::span<const std::byte> message, Scalars& scalars);

}  // namespace bench
