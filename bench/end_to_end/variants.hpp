// SPDX-License-Identifier: Apache-2.0
// The compared ways of sending metadata along with a libtorch RPC message.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

#include "../pickled_tuple.hpp"
#include "gradtail/torch.hpp"

namespace end_to_end {

namespace rpc = torch::distributed::rpc;
using gradtail::AutogradMetadata;

/// One of them, for both directions.
struct Variant {
  /// Bytes that the sender has reserved behind the payload.
  std::size_t tailroom;
  /// Puts the metadata behind the payload.
  void (*append)(std::vector<char>& payload, const AutogradMetadata& metadata);
  /// Takes the metadata off a message as the agent hands it over and returns the payload's size.
  /// Throws unless the metadata is the expected.
  std::size_t (*read)(const rpc::Message& message, const AutogradMetadata& expected);
};

inline void check(bool equal) {
  if (!equal) throw std::runtime_error("other metadata came than was sent");
}

inline void append_nothing(std::vector<char>& /*payload*/, const AutogradMetadata& /*metadata*/) {}

inline std::size_t read_nothing(const rpc::Message& message, const AutogradMetadata& /*expected*/) {
  return message.payload().size();
}

/// What the trailer's bytes cost by themselves: more to send, and larger blocks of memory.
inline void append_zeros(std::vector<char>& payload, const AutogradMetadata& metadata) {
  payload.resize(payload.size() + gradtail::trailer_size(metadata));
}

inline std::size_t read_zeros(const rpc::Message& message, const AutogradMetadata& expected) {
  return message.payload().size() - gradtail::trailer_size(expected);
}

inline void append_trailer(std::vector<char>& payload, const AutogradMetadata& metadata) {
  check(gradtail::append(payload, metadata).has_value());
}

inline std::size_t read_trailer(const rpc::Message& message, const AutogradMetadata& expected) {
  const auto view = gradtail::open(message);
  check(view && view->metadata() == expected);
  return view->payload().size();
}

/// What RpcWithAutograd::fromMessage does: it copies the payload, as the message is const.
inline std::size_t read_tuple(const rpc::Message& message, const AutogradMetadata& expected) {
  std::vector<char> payload = message.payload();
  const std::vector<at::IValue> values = rpc::readWrappedPayload(payload, message);
  check(values.size() == 5 && values[0].toInt() == expected.wrapped_message_type &&
        values[1].toInt() == expected.context_id && values[2].toInt() == expected.message_id &&
        values[3].toInt() == expected.from_worker_id &&
        values[4].to<c10::Dict<std::string, std::string>>().empty());
  return payload.size();
}

/// No metadata, none and as many bytes more as a trailer has, the trailer, PyTorch's pickled tuple.
inline constexpr Variant variants[] = {
    {0, append_nothing, read_nothing},
    {gradtail::max_trailer_size, append_zeros, read_zeros},
    {gradtail::max_trailer_size, append_trailer, read_trailer},
    {0, bench::append_tuple<AutogradMetadata>, read_tuple},
};

}  // namespace end_to_end
