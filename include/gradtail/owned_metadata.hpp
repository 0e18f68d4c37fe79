// SPDX-License-Identifier: Apache-2.0
// Metadata that outlives the bytes it was read from, and the device map of a reply.
#pragma once

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "gradtail/export.hpp"
#include "gradtail/metadata.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {

/// A copy of metadata with a device map of its own: to keep after the message is gone, for example
/// until the backward pass. Allocates if there is a device map.
class OwnedMetadata {
 public:
  /// No field set.
  OwnedMetadata() = default;
  /// Copies the device map, too.
  explicit OwnedMetadata(const AutogradMetadata& metadata)
      : device_map_(metadata.device_map.begin(), metadata.device_map.end()), scalars_(metadata) {
    scalars_.device_map = {};
  }

  /// The metadata. Its device map borrows from this object, which must outlive it and not change.
  [[nodiscard]] AutogradMetadata metadata() const& noexcept GRADTAIL_LIFETIMEBOUND {
    AutogradMetadata all = scalars_;
    all.device_map = device_map_;
    return all;
  }
  /// Deleted: the device map would dangle.
  AutogradMetadata metadata() const&& = delete;

  friend bool operator==(const OwnedMetadata& a, const OwnedMetadata& b) noexcept {
    return a.metadata() == b.metadata();
  }

 private:
  std::vector<DevicePair> device_map_;
  AutogradMetadata scalars_;  // without the device map
};

/// The device map of a reply: every pair turned around, ascending by (type, index) of the new
/// source, as readers give them. A map that was received has no target twice, so its inverse is
/// valid. Allocates the vector.
[[nodiscard]] inline std::vector<DevicePair> inverse(std::span<const DevicePair> device_map) {
  std::vector<DevicePair> turned;
  turned.reserve(device_map.size());
  for (const DevicePair& pair : device_map) turned.emplace_back(pair.target, pair.source);
  std::sort(turned.begin(), turned.end(), [](const DevicePair& a, const DevicePair& b) {
    return std::pair(a.source.type, a.source.index) < std::pair(b.source.type, b.source.index);
  });
  return turned;
}

}  // namespace GRADTAIL_ABI
}  // namespace gradtail
