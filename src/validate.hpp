// SPDX-License-Identifier: Apache-2.0
// Which device maps are allowed (FORMAT.md, sections 3 and 6). The ranges of scalars are in
// fields.hpp.
#pragma once

#include <cstddef>
#include <span>

#include "gradtail/error.hpp"
#include "gradtail/metadata.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail {

/// What is wrong with a device map, and with which pair.
struct BadPair {
  Field field = Field::none;
  std::size_t pair = 0;
};

/// The order that a map's pairs must have.
enum class PairOrder : bool {
  any,   ///< for writers: no source occurs twice
  wire,  ///< for readers: sources ascend strictly
};

/// The first pair that isn't allowed, or Field::none if all are. If the bytes change meanwhile, the
/// answer may be wrong, but nothing else is accessed.
[[nodiscard]] BadPair first_bad_pair(std::span<const DevicePair> map, PairOrder order) noexcept;

/// The index of the first pair whose source or target (`side`) also occurs in an earlier pair, or
/// the number of pairs if there is none. The devices have been checked to be in range.
[[nodiscard]] std::size_t first_repeated(std::span<const DevicePair> map,
                                         Device DevicePair::*side) noexcept;

/// Device types are less than this.
inline constexpr int device_type_count = 64;

[[nodiscard]] constexpr bool type_valid(Device device) noexcept {
  return device.type >= 0 && device.type < device_type_count;
}
[[nodiscard]] constexpr bool index_valid(Device device) noexcept { return device.index >= -1; }

/// The order of the wire: by the source's type, then its index, both signed.
[[nodiscard]] constexpr bool source_before(const DevicePair& a, const DevicePair& b) noexcept {
  return a.source.type != b.source.type ? a.source.type < b.source.type
                                        : a.source.index < b.source.index;
}

}  // namespace detail
}  // namespace GRADTAIL_ABI
}  // namespace gradtail
