// SPDX-License-Identifier: Apache-2.0
// Reading a table of any valid layout, in place and at any alignment.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "gradtail/error.hpp"
#include "gradtail/metadata.hpp"
#include "layout.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail {

/// Check 8: where the fields are, if the layout is valid (FORMAT.md, section 5, rules 2 to 6). The
/// table has 16 to Limits::most bytes.
[[nodiscard]] std::optional<Positions> locate_fields(std::span<const std::byte> table) noexcept;

/// Whether the table stores fields that this library doesn't know, in slots behind those of
/// `fields`. False if the bytes have changed and are no valid table any more.
[[nodiscard]] bool has_unknown_slots(std::span<const std::byte> table) noexcept;

/// A value that the schema doesn't allow, and its position in the table.
struct BadValue {
  Field field = Field::none;
  std::size_t at = 0;
};

/// Check 9: reads the fields at these positions into metadata that has none set, up to the first
/// value that isn't allowed. Borrows the device map from the table.
[[nodiscard]] BadValue read_fields(std::span<const std::byte> table, const Positions& positions,
                                   AutogradMetadata& metadata) noexcept;

}  // namespace detail
}  // namespace GRADTAIL_ABI
}  // namespace gradtail
