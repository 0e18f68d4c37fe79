// SPDX-License-Identifier: Apache-2.0
// Only the trailer says which pass a message belongs to. What it says is checked before it is used.
#include "passes.hpp"

#include <utility>

#include "job.hpp"

namespace grpc_stream {

grpc::ByteBuffer Passes::answer(const grpc::ByteBuffer& message) {
  ++answered_;
  std::string problem = received_.take(message);
  if (problem.empty()) problem = check();
  gradtail::AutogradMetadata reply{.context_id = received_.metadata().context_id,
                                   .message_id = received_.metadata().message_id,
                                   .from_worker_id = 0};
  if (problem.empty()) {
    worker_ = received_.metadata().from_worker_id;
    return received_.type() == Type::activations ? add(reply) : end(reply);
  }
  ++refused_;
  reply.wrapped_message_type = static_cast<std::uint32_t>(Type::refused);
  return pack(problem, reply);
}

std::string Passes::check() const {
  const auto& metadata = received_.metadata();
  if (metadata.context_id < 0) return "a message without context_id";
  if (metadata.from_worker_id < 1) return "from_worker_id must be 1 or more: 0 is this server";
  if (worker_ != -1 && metadata.from_worker_id != worker_) {
    return "this stream is worker " + std::to_string(worker_) + "'s";
  }
  if (received_.type() == Type::activations) {
    return check_activations(received_.payload_size() / sizeof(float));
  }
  if (received_.type() != Type::end_of_pass) return "a type that no client sends";
  if (received_.payload_size() != 0) return "end_of_pass has no payload";
  return sums_.contains(metadata.context_id) ? "" : "no such pass is open";
}

std::string Passes::check_activations(std::size_t count) const {
  if (received_.metadata().message_id < 0) return "activations without message_id";
  if (received_.payload_size() > max_payload_size) return "a payload above 16 MiB";
  if (received_.payload_size() % sizeof(float) != 0 || count < 2) {
    return "activations are 2 or more floats of 4 bytes: the target, then the activations";
  }
  const auto pass = sums_.find(received_.metadata().context_id);
  if (pass != sums_.end()) {
    return pass->second.size() == count - 1 ? "" : "not as many activations as before in this pass";
  }
  if (sums_.size() == max_open) return "more than 1024 passes are open";
  return count - 1 > max_sums - sums_size_ ? "the open passes have too many activations" : "";
}

grpc::ByteBuffer Passes::add(gradtail::AutogradMetadata reply) {
  const std::vector<float> values = received_.floats();
  std::vector<double>& sums = sums_[reply.context_id];
  if (sums.empty()) {
    sums.resize(values.size() - 1);
    sums_size_ += sums.size();
  }
  add_weight_gradients(sums, values);
  reply.wrapped_message_type = static_cast<std::uint32_t>(Type::gradients);
  return pack(gradients(residual(values), sums.size()), reply);
}

grpc::ByteBuffer Passes::end(gradtail::AutogradMetadata reply) {
  const auto pass = sums_.extract(reply.context_id);
  sums_size_ -= pass.mapped().size();
  reply.wrapped_message_type = static_cast<std::uint32_t>(Type::weight_gradients);
  return pack(rounded(pass.mapped()), reply);
}

}  // namespace grpc_stream
