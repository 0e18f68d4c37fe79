// SPDX-License-Identifier: Apache-2.0
// Appends on the way out, opens on the way in, and says what is wrong with a peer's message.
#include "messages.hpp"

#include <gradtail/gradtail.hpp>
#include <stdexcept>
#include <string>
#include <utility>

namespace torch_two_workers {

Message make_message(rpc::MessageType type, const gradtail::AutogradMetadata& metadata,
                     std::vector<at::Tensor> tensors, std::string_view text) {
  std::vector<char> payload;
  payload.reserve(text.size() + gradtail::trailer_size(metadata));
  payload.assign(text.begin(), text.end());
  auto message = c10::make_intrusive<rpc::Message>(std::move(payload), std::move(tensors), type);
  if (const auto done = gradtail::append(*message, metadata); !done) {
    throw std::runtime_error("can't send " + to_string(metadata) + ": " + to_string(done.error()));
  }
  return message;
}

gradtail::MessageView open_message(const rpc::Message& message) {
  const auto view = gradtail::open(message);
  if (view) return *view;
  throw std::runtime_error("a message of type " + std::to_string(message.type()) + " with " +
                           std::to_string(message.payload().size()) +
                           " bytes of payload is refused: " + to_string(view.error()));
}

std::string_view text_of(const gradtail::MessageView& view) {
  return {reinterpret_cast<const char*>(view.payload().data()), view.payload().size()};
}

PairId pair_of(const gradtail::AutogradMetadata& metadata) {
  if (metadata.context_id < 0 || metadata.message_id < 0) {
    throw std::runtime_error("a message of a pass needs both ids, and has " + to_string(metadata));
  }
  return {metadata.context_id, metadata.message_id};
}

at::Tensor matrix_of(const rpc::Message& message, std::int64_t columns) {
  const std::vector<at::Tensor>& tensors = message.tensors();
  if (tensors.size() != 1 || tensors[0].scalar_type() != at::kFloat || !tensors[0].is_cpu() ||
      tensors[0].dim() != 2 || tensors[0].size(0) < 1 || tensors[0].size(1) != columns) {
    throw std::runtime_error("a message of type " + std::to_string(message.type()) +
                             " needs one tensor of floats with " + std::to_string(columns) +
                             " columns");
  }
  return tensors[0];
}

Reply new_reply() { return c10::make_intrusive<rpc::JitFuture>(at::AnyClassType::get()); }

void complete(const Reply& reply, Message message) {
  auto storages = message->getStorages();
  reply->markCompleted(c10::IValue(std::move(message)), std::move(storages));
}

}  // namespace torch_two_workers
