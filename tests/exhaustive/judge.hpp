// SPDX-License-Identifier: Apache-2.0
// Opens a message and holds the answer to the plain rules, and to FlatBuffers.
#pragma once

#include "tally.hpp"

namespace judge {

/// Opens the message, counts the answer, and notes a violation where it isn't the one of the plain
/// rules. Returns whether the library accepted.
bool open(plain::Bytes message, Tally& tally);

/// The same, where nothing may be accepted.
void refuses(plain::Bytes message, Tally& tally);

/// For a message whose checks up to the checksum pass, with a trailer behind `payload_size` bytes:
/// the table alone goes by the plain rules, and by FlatBuffers too.
void table(plain::Bytes message, std::size_t payload_size, Tally& tally);

}  // namespace judge
