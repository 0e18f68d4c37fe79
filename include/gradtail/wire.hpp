// SPDX-License-Identifier: Apache-2.0
// The numbers of wire format version 1 that senders, receivers and buffer pools can rely on.
#pragma once

#include <cstddef>
#include <cstdint>

#include "gradtail/export.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {

/// The version of the wire format, 12 bytes before the message's end.
inline constexpr std::uint16_t format_version = 1;

/// Bytes of the footer, the last part of every trailer.
inline constexpr std::size_t footer_size = 16;

/// Bytes of the smallest trailer, the one with no field set.
inline constexpr std::size_t min_trailer_size = 32;

/// Most device pairs that one trailer holds.
inline constexpr std::size_t max_device_pairs = 128;

/// What a reader accepts. The default fits every writer of the format, present and future.
struct Limits {
  /// Largest trailer_size in bytes. A larger trailer is refused as too large before its checksum is
  /// computed. Values above `most` count as `most`.
  std::size_t trailer_size = 4096;

  /// The highest limit, in bytes. Positions in a FlatBuffers vtable have 16 bits.
  static constexpr std::size_t most = 65536;
};

}  // namespace GRADTAIL_ABI
}  // namespace gradtail
