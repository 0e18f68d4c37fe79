// SPDX-License-Identifier: Apache-2.0
#include "variants.hpp"

#include <torch/csrc/distributed/rpc/utils.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <stdexcept>
#include <string>
#include <utility>

#include "gradtail/torch.hpp"

namespace end_to_end {
namespace {

namespace rpc = torch::distributed::rpc;
using gradtail::AutogradMetadata;

void check(bool equal) {
  if (!equal) throw std::runtime_error("other metadata came than was sent");
}

void append_nothing(std::vector<char>& /*payload*/, const AutogradMetadata& /*metadata*/) {}

std::size_t read_nothing(const rpc::Message& message, const AutogradMetadata& /*expected*/) {
  return message.payload().size();
}

/// What the trailer's bytes cost by themselves: more to send, and larger blocks of memory.
void append_zeros(std::vector<char>& payload, const AutogradMetadata& metadata) {
  payload.resize(payload.size() + gradtail::trailer_size(metadata));
}

std::size_t read_zeros(const rpc::Message& message, const AutogradMetadata& expected) {
  return message.payload().size() - gradtail::trailer_size(expected);
}

void append_trailer(std::vector<char>& payload, const AutogradMetadata& metadata) {
  check(gradtail::append(payload, metadata).has_value());
}

std::size_t read_trailer(const rpc::Message& message, const AutogradMetadata& expected) {
  const auto view = gradtail::open(message);
  check(view && view->metadata() == expected);
  return view->payload().size();
}

/// What RpcWithAutograd::toMessageImpl does.
void append_tuple(std::vector<char>& payload, const AutogradMetadata& metadata) {
  std::vector<at::IValue> values{static_cast<std::int64_t>(metadata.wrapped_message_type),
                                 metadata.context_id, metadata.message_id,
                                 static_cast<std::int64_t>(metadata.from_worker_id),
                                 c10::Dict<std::string, std::string>()};
  std::vector<at::Tensor> tensors;
  std::vector<char> pickled =
      torch::jit::pickle(c10::ivalue::Tuple::create(std::move(values)), &tensors);
  rpc::writeWrappedPayload(payload, pickled);
}

/// What RpcWithAutograd::fromMessage does: it copies the payload, as the message is const.
std::size_t read_tuple(const rpc::Message& message, const AutogradMetadata& expected) {
  std::vector<char> payload = message.payload();
  const std::vector<at::IValue> values = rpc::readWrappedPayload(payload, message);
  check(values.size() == 5 && values[0].toInt() == expected.wrapped_message_type &&
        values[1].toInt() == expected.context_id && values[2].toInt() == expected.message_id &&
        values[3].toInt() == expected.from_worker_id &&
        values[4].to<c10::Dict<std::string, std::string>>().empty());
  return payload.size();
}

constexpr Variant all[] = {{"no metadata", 0, append_nothing, read_nothing},
                           {"64 zeros", gradtail::max_trailer_size, append_zeros, read_zeros},
                           {"gradtail", gradtail::max_trailer_size, append_trailer, read_trailer},
                           {"pickled tuple", 0, append_tuple, read_tuple}};

}  // namespace

std::span<const Variant> variants() { return all; }

}  // namespace end_to_end
