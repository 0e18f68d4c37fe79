// SPDX-License-Identifier: Apache-2.0
// The compared ways of sending metadata along with a libtorch RPC message.
#pragma once

#include <torch/csrc/distributed/rpc/message.h>

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "gradtail/metadata.hpp"

namespace end_to_end {

/// One of them, for both directions.
struct Variant {
  std::string_view name;
  /// Bytes that the sender has reserved behind the payload.
  std::size_t tailroom;
  /// Puts the metadata behind the payload.
  void (*append)(std::vector<char>& payload, const gradtail::AutogradMetadata& metadata);
  /// Takes the metadata off a message as the agent hands it over and returns the payload's size.
  /// Throws unless the metadata is the expected.
  std::size_t (*read)(const torch::distributed::rpc::Message& message,
                      const gradtail::AutogradMetadata& expected);
};

/// No metadata, none and as many bytes more as a trailer has, the trailer, PyTorch's pickled tuple.
[[nodiscard]] std::span<const Variant> variants();

}  // namespace end_to_end
