// SPDX-License-Identifier: Apache-2.0
// Finds the first value that the schema doesn't allow.
#include "values.hpp"

#include <array>
#include <cstdint>

#include "gradtail/wire.hpp"

namespace gradtail {
inline namespace v0 {
namespace detail {
namespace {

constexpr std::size_t device_types = 64;
constexpr std::size_t device_indices = 129;  // -1..127

constexpr bool type_valid(Device device) noexcept {
  return device.type >= 0 && static_cast<std::size_t>(device.type) < device_types;
}

constexpr bool index_valid(Device device) noexcept { return device.index >= -1; }

/// The first pair whose target an earlier pair has, or the number of pairs. Devices are in range.
std::size_t first_repeated_target(std::span<const DevicePair> map) noexcept {
  const auto bit = [](Device d) {
    return static_cast<std::size_t>(d.type) * device_indices +
           static_cast<std::size_t>(d.index + 1);
  };
  std::array<std::uint64_t, device_types * device_indices / 64> seen;  // NOLINT: see the first loop
  for (const DevicePair& pair : map) seen[bit(pair.target) / 64] = 0;
  for (std::size_t i = 0; i < map.size(); ++i) {
    const std::size_t target = bit(map[i].target);
    const std::uint64_t mask = std::uint64_t{1} << target % 64;
    if ((seen[target / 64] & mask) != 0) return i;
    seen[target / 64] |= mask;
  }
  return map.size();
}

}  // namespace

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
