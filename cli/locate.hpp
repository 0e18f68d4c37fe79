// SPDX-License-Identifier: Apache-2.0
// Where the library finds things in a trailer. The only file of the program that reaches into the
// library is locate.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace gradtail::cli {

struct Footer {
  std::uint32_t trailer_size;
  std::uint16_t version;
  std::uint16_t required_flags;
  std::uint32_t checksum;
  bool has_magic;
};

/// The footer in the last 16 bytes of a message.
[[nodiscard]] Footer footer_of(std::span<const std::byte> message);

/// The checksum that a trailer should have.
[[nodiscard]] std::uint32_t checksum_of(std::span<const std::byte> trailer,
                                        std::uint64_t payload_size);

/// The name of the field in a slot of the vtable; none for fields that this version doesn't know.
[[nodiscard]] std::optional<std::string> name_of(std::size_t slot);

/// Bytes of the field in a slot that has a name; of the device map's, those of its offset.
[[nodiscard]] std::size_t size_of(std::size_t slot);

struct LocatedField {
  std::string name;
  std::size_t at;    ///< its first byte, counted from the table's
  std::size_t size;  ///< 4 for the device map's offset
  std::string meaning;
};

/// Where everything is in a table, counted from its first byte.
struct LocatedTable {
  std::size_t root;    ///< the offset to the vtable
  std::size_t vtable;  ///< the vtable
  std::size_t vtable_size;
  std::vector<LocatedField> fields;  ///< those that are stored, in the order of their ids
  std::size_t map;                   ///< the device map's length word, or 0
  std::size_t pair_count;
};

/// The table's parts if its identifier and layout are valid.
[[nodiscard]] std::optional<LocatedTable> locate(std::span<const std::byte> table);

/// A little-endian number of 1 to 8 bytes.
[[nodiscard]] std::uint64_t number_at(std::span<const std::byte> bytes, std::size_t at,
                                      std::size_t size);

}  // namespace gradtail::cli
