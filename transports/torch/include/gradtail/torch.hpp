// SPDX-License-Identifier: Apache-2.0
// Trailers on libtorch's RPC messages, and PyTorch's own types for workers and devices.
#pragma once

#include <c10/core/Device.h>
#include <c10/util/Exception.h>
#include <c10/util/StringUtil.h>
#include <torch/csrc/distributed/rpc/message.h>
#include <torch/csrc/distributed/rpc/types.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <unordered_map>
#include <vector>

#include "gradtail/append.hpp"
#include "gradtail/export.hpp"
#include "gradtail/metadata.hpp"
#include "gradtail/open.hpp"
#include "gradtail/result.hpp"
#include "gradtail/scratch.hpp"
#include "gradtail/strip.hpp"
#include "gradtail/wire.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {

namespace detail {

/// TORCH_CHECK without its stack trace: that takes milliseconds, which a peer could make a worker
/// spend on each bad message, and tells the peer addresses of this process.
template <class... Parts>
void torch_check(bool condition, const Parts&... parts) {
  if (!condition) throw c10::Error(c10::str("gradtail: ", parts...), {}, nullptr);
}

}  // namespace detail

/// Appends the metadata's trailer to the message's payload and returns the number of bytes
/// appended. The tensors stay as they are. Reserve `payload + max_trailer_size` when you make the
/// payload, or the vector reallocates once.
/// Errors, with the message unchanged: as `append` of a std::vector<char>.
[[nodiscard]] inline Result<std::size_t> append(torch::distributed::rpc::Message& message,
                                                const AutogradMetadata& metadata) {
  return gradtail::append(message.payload(), metadata);
}

/// Opens the trailer at the end of the message's payload. The view borrows from the message, whose
/// payload must outlive it and not change. Errors, cost and promises: as `open` of bytes.
[[nodiscard]] inline Result<MessageView> open(const torch::distributed::rpc::Message& message
                                                  GRADTAIL_LIFETIMEBOUND,
                                              Limits limits = {}) noexcept {
  return gradtail::open(message.payload(), limits);
}

/// Deleted: a view into a temporary message would dangle.
Result<MessageView> open(const torch::distributed::rpc::Message&& message,
                         Limits limits = {}) = delete;

/// Removes the trailer from the message's payload, in place. The view borrows only from the
/// scratch: the payload may be moved out. Errors, with the message unchanged: as `strip` of a
/// vector.
[[nodiscard]] inline Result<TrailerView> strip(torch::distributed::rpc::Message& message,
                                               TrailerScratch& scratch GRADTAIL_LIFETIMEBOUND,
                                               Limits limits = {}) {
  return gradtail::strip(message.payload(), scratch, limits);
}

/// PyTorch's number of the worker; -1, absent, stays -1. Throws c10::Error, with the number in its
/// text, for one that doesn't fit into 16 bits, which PyTorch would truncate.
[[nodiscard]] inline torch::distributed::rpc::worker_id_t to_torch_worker(std::int32_t worker) {
  using Worker = std::numeric_limits<torch::distributed::rpc::worker_id_t>;
  detail::torch_check(worker >= -1 && worker <= (Worker::max)(), "worker ", worker,
                      " is out of range: PyTorch supports 0 to ", (Worker::max)());
  return static_cast<torch::distributed::rpc::worker_id_t>(worker);
}

/// The device as c10 has it. Throws c10::Error, with the number in its text, for a device type that
/// this libtorch doesn't know, and for a CPU of an index above 0.
[[nodiscard]] inline c10::Device to_torch(Device device) {
  const auto type = static_cast<c10::DeviceType>(device.type);
  detail::torch_check(c10::isValidDeviceType(type), "device type ", int{device.type},
                      " is unknown to this libtorch");
  detail::torch_check(type != c10::DeviceType::CPU || device.index <= 0,
                      "device cpu:", int{device.index}, " does not exist: PyTorch has one CPU");
  return {type, device.index};
}

/// PyTorch's form of a message's device map. Errors: as for one device. Allocates the map.
[[nodiscard]] inline std::unordered_map<c10::Device, c10::Device> to_torch(
    std::span<const DevicePair> pairs) {
  std::unordered_map<c10::Device, c10::Device> map;
  for (const DevicePair& pair : pairs)
    map.emplace(gradtail::to_torch(pair.source), gradtail::to_torch(pair.target));
  return map;
}

/// gradtail's form of the device. Doesn't check whether its numbers may be sent; `append` does.
[[nodiscard]] inline Device from_torch(c10::Device device) noexcept {
  return {.type = static_cast<std::int8_t>(device.type()), .index = device.index()};
}

/// The pairs of PyTorch's device map, for AutogradMetadata::device_map, which borrows them: keep
/// the vector until the metadata has been used. One allocation, none for an empty map. `append`
/// refuses more than 128 pairs and maps that can't be inverted.
[[nodiscard]] inline std::vector<DevicePair> from_torch(
    const std::unordered_map<c10::Device, c10::Device>& map) {
  std::vector<DevicePair> pairs;
  pairs.reserve(map.size());
  for (const auto& [source, target] : map) {
    pairs.emplace_back(gradtail::from_torch(source), gradtail::from_torch(target));
  }
  return pairs;
}

}  // namespace GRADTAIL_ABI
}  // namespace gradtail
