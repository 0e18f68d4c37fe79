// SPDX-License-Identifier: Apache-2.0
// Finds the first value that the schema doesn't allow.
#include "values.hpp"

#include <array>
#include <cstdint>

#include "gradtail/wire.hpp"
#include "little_endian.hpp"

namespace gradtail {
inline namespace v0 {
namespace detail {
namespace {

constexpr std::size_t device_types = 64;

constexpr bool type_valid(Device device) noexcept {
  return device.type >= 0 && static_cast<std::size_t>(device.type) < device_types;
}

constexpr bool index_valid(Device device) noexcept { return device.index >= -1; }

/// The first pair whose target an earlier pair has, or the number of pairs. Devices are in range,
/// and there are at most max_device_pairs.
std::size_t first_repeated_target(std::span<const DevicePair> map) noexcept {
  constexpr std::size_t numbers = device_types << 8;
  const auto number = [](Device d) {
    return std::size_t{static_cast<std::uint8_t>(d.type)} << 8 | static_cast<std::uint8_t>(d.index);
  };
  // Only what the first loop writes is read: nothing has to be cleared.
  std::array<std::uint8_t, numbers> first;  // NOLINT
  for (std::size_t i = map.size(); i-- > 0;) {
    first[number(map[i].target)] = static_cast<std::uint8_t>(i);
  }
  std::size_t i = 0;
  while (i < map.size() && first[number(map[i].target)] == i) ++i;
  return i;
}

/// Whether no two targets share one of 64 bits that stand for their index, which is quick to see
/// and usual: then no two are equal.
bool targets_differ_in_index(std::span<const DevicePair> map) noexcept {
  std::uint64_t seen = 0;
  std::uint64_t shared = 0;
  for (const DevicePair& pair : map) {
    const std::uint64_t bit = std::uint64_t{1} << static_cast<unsigned>(pair.target.index) % 64;
    shared |= seen & bit;
    seen |= bit;
  }
  return shared == 0;
}

BadValue first_bad_pair(std::span<const DevicePair> map) noexcept {
  if (map.size() > max_device_pairs) return {Field::device_map_size};
  for (std::size_t i = 0; i < map.size(); ++i) {
    const auto [source, target] = map[i];
    if (!type_valid(source) || !type_valid(target)) return {Field::device_map_type, i};
    if (!index_valid(source) || !index_valid(target)) return {Field::device_map_index, i};
    if (i > 0 && !source_before(map[i - 1], map[i])) return {Field::device_map_source, i};
  }
  const std::size_t repeated = first_repeated_target(map);
  if (repeated < map.size()) return {Field::device_map_target, repeated};
  return {};
}

}  // namespace

// Pairs as little-endian words of source type, source index, target type, target index, without a
// branch.
bool pairs_valid(std::span<const DevicePair> map) noexcept {
  if (map.size() > max_device_pairs) return false;
  std::uint32_t types = 0;
  std::uint32_t indices = 0;
  std::uint32_t ascending = 1U << 31;
  std::uint32_t last = 0xFFFFFFFF;  // below any source, as differences go
  for (const DevicePair& pair : map) {
    const auto word = load<std::uint32_t>(reinterpret_cast<const std::byte*>(&pair));
    types |= word;
    // One more than an index below -1 is negative too. That of -1 carries into a type, no further.
    indices |= word & (word + 0x01000100);
    // The source as a number that orders as the wire does: type, then index with its sign flipped.
    const std::uint32_t source = static_cast<std::uint16_t>(word << 8 | (word >> 8 & 0xFF)) ^ 0x80U;
    ascending &= last - source;
    last = source;
  }
  if ((types & 0x00C000C0) != 0 || (indices & 0x80008000) != 0 || ascending == 0) return false;
  return (map.size() <= 64 && targets_differ_in_index(map)) ||
         first_repeated_target(map) == map.size();
}

BadValue first_bad_value(const AutogradMetadata& m, std::span<const DevicePair> map,
                         std::uint8_t retain_graph) noexcept {
  if (m.context_id < -1) return {Field::context_id};
  if (m.message_id < -1) return {Field::message_id};
  if (m.from_worker_id < -1) return {Field::from_worker_id};
  if (const BadValue bad = first_bad_pair(map); bad.field != Field::none) return bad;
  if (retain_graph > 1) return {Field::retain_graph};
  if (m.rref_created_on < -1) return {Field::rref_created_on};
  if (m.rref_local_id < -1) return {Field::rref_local_id};
  return {};
}

}  // namespace detail
}  // namespace v0
}  // namespace gradtail
