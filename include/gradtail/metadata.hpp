// SPDX-License-Identifier: Apache-2.0
// The metadata that a trailer carries: which autograd pass, which pair of send/recv functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <span>
#include <string>
#include <type_traits>

#include "gradtail/export.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {

/// A device of a worker.
struct Device {
  std::int8_t type = 0;    ///< number as in c10::DeviceType (0 cpu, 1 cuda), 0..63
  std::int8_t index = -1;  ///< 0..127, or -1 for none given

  friend bool operator==(const Device&, const Device&) = default;
};

/// The sender's device, and the receiver's device that it maps to.
struct DevicePair {
  /// cpu to cpu, for arrays that are filled later.
  DevicePair() = default;
  /// Takes both: a missing target would be the cpu.
  constexpr DevicePair(Device from, Device to) noexcept : source(from), target(to) {}

  Device source;  ///< the sender's
  Device target;  ///< the receiver's

  friend bool operator==(const DevicePair&, const DevicePair&) = default;
};

// Device maps are views of the message's bytes, at any alignment.
static_assert(sizeof(DevicePair) == 4 && alignof(DevicePair) == 1);
static_assert(std::is_trivially_copyable_v<DevicePair>);

/// One message's autograd metadata. Any combination of fields is legal; a field at its default is
/// absent and takes no room on the wire. The comments give the values that may be sent and
/// received. Writers and readers refuse others as invalid.
struct AutogradMetadata {
  /// The distributed autograd pass (ids: gradtail/id.hpp). 0..2^63-1, or -1 for absent.
  std::int64_t context_id = -1;
  /// The pair of send and recv functions in that pass. 0..2^63-1, or -1 for absent.
  std::int64_t message_id = -1;
  /// The worker that sent the message. The sender's claim: compare it with the transport's peer
  /// before gradients are routed by it. 0..2^31-1, or -1 for absent.
  std::int32_t from_worker_id = -1;
  /// The RPC's own type number for the payload; 0 for absent.
  std::uint32_t wrapped_message_type = 0;
  /// Sender's devices to receiver's, at most 128, no source and no target twice; empty for absent.
  /// Borrowed: what it points to must outlive its use; a temporary lasts for one call. Writers take
  /// any order and write the pairs ascending by (type, index) of the source; readers give them in
  /// that order.
  std::span<const DevicePair> device_map = {};
  /// Backward messages: keep the graph for another pass.
  bool retain_graph = false;
  /// RRef backward messages: worker part of the RRef's id. 0..2^31-1, or -1 for absent.
  std::int32_t rref_created_on = -1;
  /// RRef backward messages: local part of the RRef's id. 0..2^63-1, or -1 for absent.
  std::int64_t rref_local_id = -1;

  /// Compares field by field, and device maps pair by pair. The order of the pairs counts: in a map
  /// that was received, it is ascending.
  GRADTAIL_API friend bool operator==(const AutogradMetadata& a,
                                      const AutogradMetadata& b) noexcept;
};

static_assert(std::is_trivially_copyable_v<AutogradMetadata>);

/// Bytes of the largest trailer of these fields: every one set, with 128 device pairs. With
/// `payload + max_trailer_size` bytes reserved, gradtail never reallocates.
inline constexpr std::size_t max_trailer_size = 616;

/// "cpu", "cuda:0" or, for other types, "device12:3"; no index for -1. Allocates the string.
GRADTAIL_API std::string to_string(Device device);

/// The fields that are set, for logs: "{context_id: 281474976710661 (worker 1, counter 5),
/// device_map: [cuda:0 -> cuda:1]}". Takes any values, valid or not. Allocates the string.
GRADTAIL_API std::string to_string(const AutogradMetadata& metadata);

/// The same texts to a stream.
template <class Traits>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out, Device device) {
  return out << to_string(device);
}
template <class Traits>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out,
                                             const AutogradMetadata& metadata) {
  return out << to_string(metadata);
}

}  // namespace GRADTAIL_ABI
}  // namespace gradtail

/// For containers keyed by device, such as one stream for each.
template <>
struct std::hash<gradtail::Device> {
  [[nodiscard]] std::size_t operator()(gradtail::Device device) const noexcept {
    return static_cast<std::uint8_t>(device.type) * std::size_t{256} +
           static_cast<std::uint8_t>(device.index);
  }
};
