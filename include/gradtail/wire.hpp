// SPDX-License-Identifier: Apache-2.0
// The numbers of wire format version 1 that senders, receivers and buffer pools can rely on.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gradtail {
inline namespace v0 {

/// Version that every writer of this library puts at -12 of the message.
inline constexpr std::uint16_t format_version = 1;

/// Bytes of the footer, the last part of every trailer.
inline constexpr std::size_t footer_size = 16;

/// Bytes of the smallest trailer, the one with no field set.
inline constexpr std::size_t min_trailer_size = 32;

/// Bytes of the largest trailer that this version can write: every field set and 128 device pairs.
/// Reserve `payload + max_trailer_size` and nothing of gradtail ever reallocates.
inline constexpr std::size_t max_trailer_size = 616;

/// Most device pairs that one trailer holds.
inline constexpr std::size_t max_device_pairs = 128;

/// What a reader accepts. The default fits every writer of the format, present and future.
struct Limits {
  /// Largest trailer_size in bytes; a larger one is refused as too large before anything of it is
  /// summed. Above `most` it counts as `most`.
  std::size_t trailer_size = 4096;

  /// What trailer_size can be raised to, in bytes: the bound on the stack that `open` takes for a
  /// trailer of an unusual layout (at the default limit, 4 KiB).
  static constexpr std::size_t most = 65536;
};

}  // namespace v0
}  // namespace gradtail
