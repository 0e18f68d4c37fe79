// SPDX-License-Identifier: Apache-2.0
// Sections 3 and 5 of FORMAT.md, rule by rule.
#include "plain_table.hpp"

#include <tuple>

namespace plain {
namespace {

using gradtail::Field;

/// Bytes of each field, in the order of ids; a map is found through 4 bytes.
constexpr std::size_t field_sizes[] = {8, 8, 4, 4, 4, 1, 4, 8};
constexpr std::size_t map_id = 4;

bool inside(Bytes table, std::size_t at, std::size_t size) {
  return size <= table.size() && at <= table.size() - size;
}

/// Where table and vtable are, once rules 2 to 4 hold.
struct Frame {
  std::size_t root = 0;
  std::size_t vtable = 0;
  std::size_t vtable_size = 0;

  /// Position of a field; 0 if it is absent.
  [[nodiscard]] std::size_t position(Bytes table, std::size_t id) const {
    if (vtable_size < 4 + 2 * id + 2) return 0;
    const std::size_t slot = size_at(table, vtable + 4 + 2 * id, 2);
    return slot == 0 ? 0 : root + slot;
  }
};

Rule read_frame(Bytes table, Frame& frame) {
  frame.root = size_at(table, 0, 4);
  if (frame.root == 0) return Rule::root_zero;
  if (frame.root % 4 != 0) return Rule::root_misaligned;
  if (!inside(table, frame.root, 4)) return Rule::root_outside;
  const std::int64_t distance = static_cast<std::int32_t>(number(table, frame.root, 4));
  const std::int64_t vtable = static_cast<std::int64_t>(frame.root) - distance;
  if (vtable % 2 != 0) return Rule::vtable_odd;
  if (vtable < 0) return Rule::vtable_outside;
  frame.vtable = static_cast<std::size_t>(vtable);
  if (!inside(table, frame.vtable, 2)) return Rule::vtable_outside;
  frame.vtable_size = size_at(table, frame.vtable, 2);
  if (frame.vtable_size % 2 != 0) return Rule::vtable_size_odd;
  if (!inside(table, frame.vtable, frame.vtable_size)) return Rule::vtable_too_long;
  return Rule::none;
}

/// Rule 6, for a map whose offset stands at `at`.
Rule read_map(Bytes table, std::size_t at, Fields& fields) {
  const std::size_t offset = size_at(table, at, 4);
  if (offset == 0) return Rule::map_offset_zero;
  if (offset >= std::size_t{1} << 31) return Rule::map_offset_huge;
  if ((at + offset) % 4 != 0) return Rule::map_misaligned;
  if (offset > table.size() - at) return Rule::map_outside;
  const std::size_t length_at = at + offset;
  if (!inside(table, length_at, 4)) return Rule::map_outside;
  const std::size_t count = size_at(table, length_at, 4);
  if (count > (table.size() - length_at - 4) / 4) return Rule::map_too_long;
  fields.pair_count = static_cast<std::uint32_t>(count);
  fields.pairs_at = count != 0 ? length_at + 4 : 0;
  return Rule::none;
}

template <class T>
void read_scalar(Bytes table, std::size_t at, T& value) {
  if (at != 0) value = static_cast<T>(number(table, at, sizeof(T)));
}

/// Position of a field, in a table whose layout is valid.
std::size_t position(Bytes table, std::size_t id) {
  Frame frame;
  return read_frame(table, frame) == Rule::none ? frame.position(table, id) : 0;
}

BadField bad_pair(Bytes table, std::size_t at, bool first) {
  const auto byte = [&](std::size_t i) { return signed_byte(table, at + i); };
  if (byte(0) < 0 || byte(0) > 63 || byte(2) < 0 || byte(2) > 63) {
    return {Field::device_map_type, at};
  }
  if (byte(1) < -1 || byte(3) < -1) return {Field::device_map_index, at};
  const auto source = [&](std::size_t pair) {
    return std::tuple(signed_byte(table, pair), signed_byte(table, pair + 1));
  };
  if (!first && source(at - 4) >= source(at)) return {Field::device_map_source, at};
  return {};
}

BadField bad_target(Bytes table, const Fields& fields) {
  const auto target = [&](std::size_t pair) {
    return number(table, fields.pairs_at + 4 * pair + 2, 2);
  };
  for (std::size_t i = 1; i < fields.pair_count; ++i) {
    for (std::size_t before = 0; before < i; ++before) {
      if (target(before) == target(i)) return {Field::device_map_target, fields.pairs_at + 4 * i};
    }
  }
  return {};
}

BadField bad_map(Bytes table, const Fields& fields) {
  if (fields.pair_count > 128) return {Field::device_map_size, fields.pairs_at - 4};
  for (std::size_t i = 0; i < fields.pair_count; ++i) {
    const BadField bad = bad_pair(table, fields.pairs_at + 4 * i, i == 0);
    if (bad.field != Field::none) return bad;
  }
  return bad_target(table, fields);
}

}  // namespace

Rule read_layout(Bytes table, Fields& fields) {
  Frame frame;
  if (const Rule rule = read_frame(table, frame); rule != Rule::none) return rule;
  std::size_t at[8];
  for (std::size_t id = 0; id < 8; ++id) {
    at[id] = frame.position(table, id);
    if (at[id] == 0) continue;
    if (at[id] % field_sizes[id] != 0) return static_cast<Rule>(Rule::slot_misaligned + id);
    if (!inside(table, at[id], field_sizes[id])) return static_cast<Rule>(Rule::slot_outside + id);
  }
  if (at[map_id] != 0) {
    if (const Rule rule = read_map(table, at[map_id], fields); rule != Rule::none) return rule;
  }
  read_scalar(table, at[0], fields.context_id);
  read_scalar(table, at[1], fields.message_id);
  read_scalar(table, at[2], fields.from_worker_id);
  read_scalar(table, at[3], fields.wrapped_message_type);
  read_scalar(table, at[5], fields.retain_graph);
  read_scalar(table, at[6], fields.rref_created_on);
  read_scalar(table, at[7], fields.rref_local_id);
  return Rule::none;
}

BadField first_bad_field(Bytes table, const Fields& fields) {
  if (fields.context_id < -1) return {Field::context_id, position(table, 0)};
  if (fields.message_id < -1) return {Field::message_id, position(table, 1)};
  if (fields.from_worker_id < -1) return {Field::from_worker_id, position(table, 2)};
  if (const BadField bad = bad_map(table, fields); bad.field != Field::none) return bad;
  if (fields.retain_graph > 1) return {Field::retain_graph, position(table, 5)};
  if (fields.rref_created_on < -1) return {Field::rref_created_on, position(table, 6)};
  if (fields.rref_local_id < -1) return {Field::rref_local_id, position(table, 7)};
  return {};
}

}  // namespace plain
