// SPDX-License-Identifier: Apache-2.0
// The rules of FORMAT.md, section 5, in their order. Each number from the table is loaded once, and
// checked before it is used as a position or size.
#include "table.hpp"

#include "little_endian.hpp"
#include "validate.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail {
namespace {

bool is_inside(std::span<const std::byte> table, std::size_t at, std::size_t size) noexcept {
  return at <= table.size() && size <= table.size() - at;
}

/// Where the FlatBuffers table and its vtable are, and the vtable's size, all of it inside.
struct Vtable {
  std::size_t root;
  std::size_t at;
  std::size_t size;
};

std::optional<Vtable> locate_vtable(std::span<const std::byte> table) noexcept {
  // 2. The root offset.
  const std::size_t root = load_once<std::uint32_t>(table.data());
  if (root == 0 || root % 4 != 0 || !is_inside(table, root, 4)) return {};

  // 3. The vtable, before or behind the root. Only this offset is signed.
  const auto distance = static_cast<std::int32_t>(load_once<std::uint32_t>(&table[root]));
  const std::int64_t signed_at = static_cast<std::int64_t>(root) - distance;
  if (signed_at < 0) return {};
  const auto at = static_cast<std::size_t>(signed_at);
  if (at % 2 != 0 || !is_inside(table, at, 2)) return {};

  // 4. The vtable's size.
  const std::size_t size = load_once<std::uint16_t>(&table[at]);
  if (size % 2 != 0 || !is_inside(table, at, size)) return {};
  return Vtable{root, at, size};
}

}  // namespace

std::optional<Positions> locate_fields(std::span<const std::byte> table) noexcept {
  const std::optional<Vtable> vtable = locate_vtable(table);
  if (!vtable) return {};

  // 5. The fields.
  Positions positions;
  const bool misplaced = detail::any_field([&](const auto& f) {
    const std::size_t slot_at = 4 + 2 * f.slot;
    if (slot_at + 2 > vtable->size) return false;
    const std::size_t offset = load_once<std::uint16_t>(&table[vtable->at + slot_at]);
    if (offset == 0) return false;
    const std::size_t at = vtable->root + offset;
    positions.at[f.slot] = at;
    return at % f.size != 0 || !is_inside(table, at, f.size);
  });
  if (misplaced) return {};

  // 6. The device map. That the offset is below 2^31 follows from its being inside.
  if (const std::size_t at = positions.at[DeviceMap::slot]; at != 0) {
    const std::size_t offset = load_once<std::uint32_t>(&table[at]);
    if (offset == 0 || !is_inside(table, at, offset)) return {};
    positions.map = at + offset;
    if (positions.map % 4 != 0 || !is_inside(table, positions.map, 4)) return {};
    positions.pair_count = load_once<std::uint32_t>(&table[positions.map]);
    const std::size_t left = table.size() - positions.map - 4;
    if (positions.pair_count > left / sizeof(DevicePair)) return {};
  }
  return positions;
}

bool has_unknown_slots(std::span<const std::byte> table) noexcept {
  const std::optional<Vtable> vtable = locate_vtable(table);
  if (!vtable) return false;
  for (std::size_t slot_at = 4 + 2 * field_count; slot_at + 2 <= vtable->size; slot_at += 2) {
    if (detail::load<std::uint16_t>(&table[vtable->at + slot_at]) != 0) return true;
  }
  return false;
}

BadValue read_fields(std::span<const std::byte> table, const Positions& positions,
                     AutogradMetadata& metadata) noexcept {
  BadValue bad;
  const auto read_scalar = [&](const ScalarField auto& f) {
    const std::size_t at = positions.at[f.slot];
    if (at != 0 && !f.set(metadata, f.load(&table[at]))) bad = {f.error, at};
    return bad.field != Field::none;
  };
  const auto read_map = [&](const DeviceMap&) {
    if (positions.pair_count == 0) return false;
    const std::size_t first = positions.map + 4;
    metadata.device_map = {reinterpret_cast<const DevicePair*>(&table[first]),
                           positions.pair_count};
    const BadPair wrong = first_bad_pair(metadata.device_map, PairOrder::wire);
    const bool is_size = wrong.field == Field::device_map_size;
    bad = {wrong.field, is_size ? positions.map : first + sizeof(DevicePair) * wrong.pair};
    return bad.field != Field::none;
  };
  detail::any_field(Either{read_scalar, read_map});
  return bad;
}

}  // namespace detail
}  // namespace GRADTAIL_ABI
}  // namespace gradtail
