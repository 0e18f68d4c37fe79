// SPDX-License-Identifier: Apache-2.0
// The rules of FORMAT.md written out once more: sharing no code with the library, plain, slow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "gradtail/error.hpp"

namespace plain {

using Bytes = std::span<const std::byte>;

/// Which rule of section 5 a table breaks. The slots' rules are there once for each field.
enum Rule : std::size_t {
  none,
  root_zero,
  root_misaligned,
  root_outside,
  vtable_odd,
  vtable_outside,
  vtable_size_odd,
  vtable_too_long,
  map_offset_zero,
  map_offset_huge,
  map_misaligned,
  map_outside,
  map_too_long,
  slot_misaligned,
  slot_outside = slot_misaligned + 8,
  rule_count = slot_outside + 8,
};

/// What a table holds, in range or not. An absent field has its default.
struct Fields {
  std::int64_t context_id = -1;
  std::int64_t message_id = -1;
  std::int32_t from_worker_id = -1;
  std::uint32_t wrapped_message_type = 0;
  std::uint8_t retain_graph = 0;
  std::int32_t rref_created_on = -1;
  std::int64_t rref_local_id = -1;
  std::uint32_t pair_count = 0;
  std::size_t pairs_at = 0;  ///< position of the first pair; 0 where there is none

  friend bool operator==(const Fields&, const Fields&) = default;
};

/// What `open` has to say about a message.
struct Answer {
  std::optional<gradtail::Error> error;  ///< nothing: accepted
  Rule rule = Rule::none;                ///< of a layout error
  std::size_t payload_size = 0;          ///< from the checksum on
  Fields fields;                         ///< of a valid layout
};

/// All checks of section 6, with a reader's limit.
[[nodiscard]] Answer open(Bytes message, std::size_t limit);

/// Checks 7 to 9 alone, on the table of a trailer behind `payload_size` bytes.
[[nodiscard]] Answer read_table(Bytes table, std::size_t payload_size);

/// CRC-32C over the bytes, then over `payload_size` as 64 bits: section 2.
[[nodiscard]] std::uint32_t checksum(Bytes summed, std::uint64_t payload_size);

/// The unsigned little-endian number of `size` bytes at `at`.
[[nodiscard]] inline std::uint64_t number(Bytes bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;) {
    value = value << 8 | std::to_integer<std::uint64_t>(bytes[at + i]);
  }
  return value;
}

/// The same, of up to 4 bytes, as a size or a position.
[[nodiscard]] inline std::size_t size_at(Bytes bytes, std::size_t at, std::size_t size) {
  return static_cast<std::size_t>(number(bytes, at, size));
}

/// The signed number of one byte.
[[nodiscard]] inline int signed_byte(Bytes bytes, std::size_t at) {
  return static_cast<std::int8_t>(number(bytes, at, 1));
}

}  // namespace plain
