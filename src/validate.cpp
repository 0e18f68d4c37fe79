// SPDX-License-Identifier: Apache-2.0
// Checks device maps, in the order of FORMAT.md, section 6.
#include "validate.hpp"

#include <cstdint>

#include "fast/device_map.hpp"
#include "gradtail/wire.hpp"
#include "little_endian.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail {

std::size_t first_repeated(std::span<const DevicePair> map, Device DevicePair::*side) noexcept {
  // One bit for each of 32 types, in a word for each of 128 indices: half a KiB of stack. The first
  // pass handles the devices of today's machines. Types from 32 on and index -1 have passes of
  // their own, which are made only if there are such devices. The words are chosen by index because
  // devices that follow each other usually differ in it, and then don't wait for each other's
  // stores.
  constexpr unsigned type_32 = 0x20;
  constexpr unsigned index_sign = 0x8000;
  std::size_t end = map.size();
  bool has_others = true;
  for (const unsigned kind : {0U, type_32, index_sign, type_32 | index_sign}) {
    if (!has_others) break;
    std::uint32_t types_of[128] = {};
    has_others = false;
    for (std::size_t i = 0; i < end; ++i) {
      // In bounds for any two bytes, in range or not: they may have changed since the check.
      const auto device =
          load_once<std::uint16_t>(reinterpret_cast<const std::byte*>(&(map[i].*side)));
      if ((device & (type_32 | index_sign)) != kind) {
        has_others = true;
        continue;
      }
      std::uint32_t& types = types_of[device >> 8 & 0x7F];
      const std::uint32_t type = std::uint32_t{1} << device % 32;
      if ((types & type) != 0) end = i;
      types |= type;
    }
  }
  return end;
}

BadPair first_bad_pair(std::span<const DevicePair> map, PairOrder order) noexcept {
  if (map.size() > max_device_pairs) return {Field::device_map_size};
  const bool is_in_order = fast::is_in_order(map);
  for (std::size_t i = 0; i < map.size() && !is_in_order; ++i) {
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
