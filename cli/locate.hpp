// SPDX-License-Identifier: Apache-2.0
// Where the library finds things in a trailer: its own footer, table of fields and layout check, so
// that there is one parser.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "footer.hpp"

namespace gradtail::cli {

/// The footer in the last 16 bytes of a message.
[[nodiscard]] inline detail::Footer footer_of(std::span<const std::byte> message) {
  return detail::Footer::load(message.last(footer_size).data());
}

struct KnownField {
  std::string name;
  std::size_t size;  ///< 4 for the device map's offset
};

/// The field in a slot of the vtable; none for fields that this version doesn't know.
[[nodiscard]] std::optional<KnownField> field_in(std::size_t slot);

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
