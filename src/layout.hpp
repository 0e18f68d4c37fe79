// SPDX-License-Identifier: Apache-2.0
// Where everything stands in the canonical table, in closed form (FORMAT.md, section 4).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "autograd_metadata_generated.h"
#include "gradtail/metadata.hpp"

namespace gradtail {
inline namespace v0 {
namespace detail {

/// Field ids of the schema, which number the slots of the vtable.
struct Slot {
  enum Id : unsigned {
    context_id,
    message_id,
    from_worker_id,
    wrapped_message_type,
    device_map,
    retain_graph,
    rref_created_on,
    rref_local_id,
  };
  static constexpr std::size_t count = 8;
};

static_assert(fbs::AutogradMetadata::VT_CONTEXT_ID == 4 + 2 * Slot::context_id);
static_assert(fbs::AutogradMetadata::VT_MESSAGE_ID == 4 + 2 * Slot::message_id);
static_assert(fbs::AutogradMetadata::VT_FROM_WORKER_ID == 4 + 2 * Slot::from_worker_id);
static_assert(fbs::AutogradMetadata::VT_WRAPPED_MESSAGE_TYPE == 4 + 2 * Slot::wrapped_message_type);
static_assert(fbs::AutogradMetadata::VT_DEVICE_MAP == 4 + 2 * Slot::device_map);
static_assert(fbs::AutogradMetadata::VT_RETAIN_GRAPH == 4 + 2 * Slot::retain_graph);
static_assert(fbs::AutogradMetadata::VT_RREF_CREATED_ON == 4 + 2 * Slot::rref_created_on);
static_assert(fbs::AutogradMetadata::VT_RREF_LOCAL_ID == 4 + 2 * Slot::rref_local_id);
static_assert(sizeof(fbs::DevicePair) == sizeof(DevicePair));

/// A set of fields, a bit for each Slot::Id.
using FieldSet = unsigned;

template <class... Ids>
[[nodiscard]] constexpr FieldSet fields(Ids... ids) noexcept {
  return (0U | ... | (1U << ids));
}

/// The fields that are stored: those that are not at their default.
[[nodiscard]] inline FieldSet present_fields(const AutogradMetadata& m) noexcept {
  const auto bit = [](Slot::Id id, bool present) { return FieldSet{present} << id; };
  return bit(Slot::context_id, m.context_id != -1) | bit(Slot::message_id, m.message_id != -1) |
         bit(Slot::from_worker_id, m.from_worker_id != -1) |
         bit(Slot::wrapped_message_type, m.wrapped_message_type != 0) |
         bit(Slot::device_map, !m.device_map.empty()) | bit(Slot::retain_graph, m.retain_graph) |
         bit(Slot::rref_created_on, m.rref_created_on != -1) |
         bit(Slot::rref_local_id, m.rref_local_id != -1);
}

/// Byte positions from the start of the table's buffer.
struct Layout {
  std::size_t size = 0;         ///< of the whole buffer, padded to a multiple of 8
  std::size_t table = 0;        ///< where the table begins, with its vtable's distance
  std::size_t vtable = 0;       ///< where the vtable begins
  std::size_t vtable_size = 0;  ///< bytes of the vtable
  std::size_t object_size = 0;  ///< bytes of the table's inline part
  std::size_t map = 0;          ///< the map's length word; 0 where there is no map
  std::array<std::size_t, Slot::count> at{};  ///< each field; 0 for one that is not stored
};

/// The layout of these fields, with a map of `pair_count` pairs where device_map is among them.
[[nodiscard]] constexpr Layout layout_of(FieldSet set, std::size_t pair_count) noexcept {
  struct Item {
    Slot::Id id;
    std::size_t size;
  };
  constexpr Item order[] = {{Slot::rref_local_id, 8},  {Slot::message_id, 8},
                            {Slot::context_id, 8},     {Slot::rref_created_on, 4},
                            {Slot::device_map, 4},     {Slot::wrapped_message_type, 4},
                            {Slot::from_worker_id, 4}, {Slot::retain_graph, 1}};
  const auto align = [](std::size_t n, std::size_t to) { return (n + to - 1) / to * to; };
  // Built from the end: until the buffer's size is known, positions are distances from its end.
  const std::size_t map_end = (set & fields(Slot::device_map)) != 0 ? 4 * pair_count + 4 : 0;
  std::size_t distance = map_end;
  std::size_t slots = 0;
  std::array<std::size_t, Slot::count> from_end{};
  for (const auto [id, size] : order) {
    if ((set >> id & 1) == 0) continue;
    distance = align(distance + size, size);
    from_end[id] = distance;
    slots = id + 1 > slots ? id + 1 : slots;
  }
  const std::size_t table_end = align(distance + 4, 4);
  Layout layout;
  layout.vtable_size = 4 + 2 * slots;
  layout.object_size = table_end - map_end;
  const bool has_long =
      (set & fields(Slot::context_id, Slot::message_id, Slot::rref_local_id)) != 0;
  const std::size_t size = align(table_end + layout.vtable_size + 8, has_long ? 8 : 4);
  layout.size = align(size, 8);
  layout.table = size - table_end;
  layout.vtable = layout.table - layout.vtable_size;
  layout.map = map_end != 0 ? size - map_end : 0;
  for (std::size_t id = 0; id < Slot::count; ++id) {
    layout.at[id] = from_end[id] != 0 ? size - from_end[id] : 0;
  }
  return layout;
}

}  // namespace detail
}  // namespace v0
}  // namespace gradtail
