// SPDX-License-Identifier: Apache-2.0
// Checks device maps, in the order of FORMAT.md, section 6.
#include "validate.hpp"

#include <algorithm>
#include <cstdint>

#include "fast/device_map.hpp"
#include "gradtail/wire.hpp"
#include "little_endian.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail {

std::size_t first_repeated(std::span<const DevicePair> map, Device DevicePair::*side) noexcept {
  // A set of types for each index, in two passes: types below 32, which are all that there are
  // today, and the others. So the sets take half a KiB of stack. Devices that follow each other
  // have other indices rather than other types, and so don't wait for each other's stores.
  constexpr unsigned highest_index = 128;  // 127, counted from -1
  std::size_t end = map.size();
  bool has_others = true;
  for (unsigned half = 0; half < 2 && has_others; ++half) {
    std::uint32_t types_of[highest_index + 1] = {};
    has_others = false;
    for (std::size_t i = 0; i < end; ++i) {
      // In bounds for any two bytes, in range or not: they may have changed since the check.
      const auto device =
          load_once<std::uint16_t>(reinterpret_cast<const std::byte*>(&(map[i].*side)));
      const unsigned index = std::min(((device >> 8) + 1U) % 256, highest_index);
      if (device / 32 % 2 != half) {
        has_others = true;
        continue;
      }
      const std::uint32_t type = std::uint32_t{1} << device % 32;
      if ((types_of[index] & type) != 0) end = i;
      types_of[index] |= type;
    }
  }
  return end;
}

BadPair first_bad_pair(std::span<const DevicePair> map, PairOrder order) noexcept {
  if (map.size() > max_device_pairs) return {Field::device_map_size};
  const bool is_known_good = fast::is_in_order(map);
  for (std::size_t i = 0; i < map.size() && !is_known_good; ++i) {
    const auto [source, target] = map[i];
    if (!type_valid(source) || !type_valid(target)) return {Field::device_map_type, i};
    if (!index_valid(source) || !index_valid(target)) return {Field::device_map_index, i};
    if (order == PairOrder::wire && i > 0 && !source_before(map[i - 1], map[i])) {
      return {Field::device_map_source, i};
    }
  }
  if (order == PairOrder::any) {
    const std::size_t repeated = first_repeated(map, &DevicePair::source);
    if (repeated < map.size()) return {Field::device_map_source, repeated};
  }
  const std::size_t repeated = first_repeated(map, &DevicePair::target);
  if (repeated < map.size()) return {Field::device_map_target, repeated};
  return {};
}

}  // namespace detail
}  // namespace GRADTAIL_ABI
}  // namespace gradtail
