// SPDX-License-Identifier: Apache-2.0
// Messages of libtorch's RPC with gradtail's metadata behind the payload. Copy from this file and
// worker.cpp: they hold all the use of gradtail that a program needs.
#pragma once

#include <ATen/core/Tensor.h>

#include <compare>
#include <cstdint>
#include <gradtail/gradtail.hpp>
#include <gradtail/torch.hpp>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "program.hpp"

namespace torch_two_workers {

using support::text;
namespace rpc = torch::distributed::rpc;
using Message = c10::intrusive_ptr<rpc::Message>;
/// A message to come, or an error.
using Reply = c10::intrusive_ptr<rpc::JitFuture>;

/// One pair of send and recv functions, in one autograd pass.
struct PairId {
  std::int64_t context_id = -1;
  std::int64_t message_id = -1;

  [[nodiscard]] gradtail::AutogradMetadata metadata() const {
    return {.context_id = context_id, .message_id = message_id};
  }
  friend auto operator<=>(const PairId&, const PairId&) = default;  // NOLINT: it asks for nullptr
};

/// A message whose payload is `body` and the trailer.
[[nodiscard]] inline Message make_message(rpc::MessageType type,
                                          const gradtail::AutogradMetadata& metadata,
                                          std::vector<at::Tensor> tensors = {},
                                          std::string_view body = {}) {
  std::vector<char> payload;
  payload.reserve(body.size() + gradtail::trailer_size(metadata));
  payload.assign(body.begin(), body.end());
  auto message = c10::make_intrusive<rpc::Message>(std::move(payload), std::move(tensors), type);
  if (const auto done = gradtail::append(*message, metadata); !done) {
    throw std::runtime_error(
        text("can't send ", to_string(metadata), ": ", to_string(done.error())));
  }
  return message;
}

/// A view of the message, which must outlive it. Throws std::runtime_error that says what is wrong:
/// a message without a trailer is wrong too.
[[nodiscard]] inline gradtail::MessageView open_message(const rpc::Message& message) {
  const auto view = gradtail::open(message);
  if (view) return *view;
  throw std::runtime_error(text("a message of type ", int{message.type()}, " with ",
                                message.payload().size(),
                                " bytes of payload is refused: ", to_string(view.error())));
}

/// The payload before the trailer.
[[nodiscard]] inline std::string_view body_of(const gradtail::MessageView& view) {
  return {reinterpret_cast<const char*>(view.payload().data()), view.payload().size()};
}

/// Throws std::runtime_error unless the metadata have both ids.
[[nodiscard]] inline PairId pair_of(const gradtail::AutogradMetadata& metadata) {
  if (metadata.context_id >= 0 && metadata.message_id >= 0) {
    return {metadata.context_id, metadata.message_id};
  }
  throw std::runtime_error("a message of a pass needs both ids, and has " + to_string(metadata));
}

/// The message's only tensor. Throws std::runtime_error unless it is of floats on the CPU, with
/// this many columns and, unless that is 0, rows.
[[nodiscard]] inline at::Tensor matrix_of(const rpc::Message& message, std::int64_t columns,
                                          std::int64_t rows = 0) {
  const std::vector<at::Tensor>& tensors = message.tensors();
  if (tensors.size() == 1 && tensors[0].scalar_type() == at::kFloat && tensors[0].is_cpu() &&
      tensors[0].dim() == 2 && tensors[0].size(0) >= 1 && tensors[0].size(1) == columns &&
      (rows == 0 || tensors[0].size(0) == rows)) {
    return tensors[0];
  }
  throw std::runtime_error(text("a message of type ", int{message.type()}, " needs one tensor of ",
                                rows == 0 ? "some" : text(rows), " rows and ", columns,
                                " columns of floats"));
}

/// A reply to be completed later.
[[nodiscard]] inline Reply new_reply() {
  return c10::make_intrusive<rpc::JitFuture>(at::AnyClassType::get());
}

inline void complete(const Reply& reply, Message message) {
  auto storages = message->getStorages();
  reply->markCompleted(c10::IValue(std::move(message)), std::move(storages));
}

}  // namespace torch_two_workers
