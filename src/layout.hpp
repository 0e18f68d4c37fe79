// SPDX-License-Identifier: Apache-2.0
// The canonical layout (FORMAT.md, section 4): the position of each item in the table, and the
// bytes that follow from the positions alone.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "fields.hpp"
#include "little_endian.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail {

/// The FlatBuffers file identifier, AGMD, and where it is.
inline constexpr std::uint32_t identifier = 0x444D4741;
inline constexpr std::size_t identifier_at = 4;

/// Where the fields of a table are, counted from its first byte. 0 for what is absent.
struct Positions {
  std::array<std::size_t, field_count> at{};
  std::size_t map = 0;  ///< the device map's length word; the pairs follow it
  std::size_t pair_count = 0;
};

/// The canonical layout of one set of fields.
struct Layout : Positions {
  std::size_t size = 0;         ///< the whole table, padded to a multiple of 8
  std::size_t root = 0;         ///< the root table, which begins with the distance to its vtable
  std::size_t vtable = 0;       ///< its vtable
  std::size_t vtable_size = 0;  ///< bytes of the vtable
  std::size_t object_size = 0;  ///< bytes of the root table without the map's length and pairs
};

struct SizedSlot {
  std::size_t size;
  unsigned slot;
};

/// Step 2's order: largest size first, then highest slot first.
inline constexpr auto canonical_order = [] {
  std::array<SizedSlot, field_count> order{};
  detail::for_each_field([&](const auto& f) { order[f.slot] = {f.size, f.slot}; });
  std::sort(order.begin(), order.end(), [](SizedSlot a, SizedSlot b) {
    return a.size != b.size ? a.size > b.size : a.slot > b.slot;
  });
  return order;
}();

/// The layout of these fields, with `pair_count` pairs if the device map is among them. Steps and
/// names are those of FORMAT.md. Up to step 5, all numbers are distances from the table's end.
[[nodiscard]] constexpr Layout layout_of(FieldSet set, std::size_t pair_count) noexcept {
  const auto align = [](std::size_t n, std::size_t to) { return (n + to - 1) / to * to; };
  const bool has_map = (set >> DeviceMap::slot & 1) != 0;
  const std::size_t base = has_map ? 4 * pair_count + 4 : 0;  // 1
  std::size_t d = base;                                       // 2
  std::size_t slots = 0;
  std::size_t alignment = 4;
  Layout layout;
  for (const auto [size, slot] : canonical_order) {
    if ((set >> slot & 1) == 0) continue;
    d = layout.at[slot] = align(d + size, size);
    slots = std::max(slots, std::size_t{slot} + 1);
    alignment = std::max(alignment, size);
  }
  const std::size_t table = align(d + 4, 4);               // 3
  const std::size_t vtable = table + 4 + 2 * slots;        // 4
  const std::size_t start = align(vtable + 8, alignment);  // 5
  for (std::size_t& at : layout.at) at = at != 0 ? start - at : 0;
  layout.map = has_map ? start - base : 0;
  layout.pair_count = has_map ? pair_count : 0;
  layout.size = align(start, 8);  // 6, without the footer
  layout.root = start - table;
  layout.vtable = start - vtable;
  layout.vtable_size = vtable - table;
  layout.object_size = table - base;
  return layout;
}

/// Stores everything but the values: root offset, identifier, vtable, and the offsets to the vtable
/// and the map. The bytes between them must be zero already.
constexpr void store_structure(std::byte* to, const Layout& layout) noexcept {
  const auto store16 = [to](std::size_t at, std::size_t n) {
    detail::store(to + at, static_cast<std::uint16_t>(n));
  };
  const auto store32 = [to](std::size_t at, std::size_t n) {
    detail::store(to + at, static_cast<std::uint32_t>(n));
  };
  store32(0, layout.root);
  store32(identifier_at, identifier);
  store16(layout.vtable, layout.vtable_size);
  store16(layout.vtable + 2, layout.object_size);
  for (std::size_t slot = 0; 4 + 2 * slot < layout.vtable_size; ++slot) {
    const std::size_t at = layout.at[slot];
    store16(layout.vtable + 4 + 2 * slot, at != 0 ? at - layout.root : 0);
  }
  store32(layout.root, layout.root - layout.vtable);
  if (layout.map != 0) {
    const std::size_t at = layout.at[DeviceMap::slot];
    store32(at, layout.map - at);
  }
}

}  // namespace detail
}  // namespace GRADTAIL_ABI
}  // namespace gradtail
