// SPDX-License-Identifier: Apache-2.0
// Messages of libtorch's RPC with gradtail's metadata behind the payload. This pair of files and
// worker.cpp hold all the use of gradtail that a program needs.
#pragma once

#include <ATen/core/Tensor.h>

#include <compare>
#include <cstdint>
#include <gradtail/torch.hpp>
#include <string_view>
#include <vector>

namespace torch_two_workers {

namespace rpc = torch::distributed::rpc;
using Message = c10::intrusive_ptr<rpc::Message>;
/// A message to come, or an error.
using Reply = c10::intrusive_ptr<rpc::JitFuture>;

/// One pair of send and recv functions, in one autograd pass.
struct PairId {
  std::int64_t context_id = -1;
  std::int64_t message_id = -1;

  friend auto operator<=>(const PairId&, const PairId&) = default;  // NOLINT: it asks for nullptr
};

/// A message whose payload is `text` and the trailer.
[[nodiscard]] Message make_message(rpc::MessageType type,
                                   const gradtail::AutogradMetadata& metadata,
                                   std::vector<at::Tensor> tensors = {},
                                   std::string_view text = {});

/// The metadata and text of a message, which must outlive them. Throws std::runtime_error that
/// names what is wrong: a message without a trailer is wrong too.
[[nodiscard]] gradtail::MessageView open_message(const rpc::Message& message);

/// The payload before the trailer.
[[nodiscard]] std::string_view text_of(const gradtail::MessageView& view);

/// Throws std::runtime_error unless the metadata have both ids.
[[nodiscard]] PairId pair_of(const gradtail::AutogradMetadata& metadata);

/// The message's only tensor. Throws std::runtime_error unless it is of floats on the CPU, with
/// these columns and at least one row.
[[nodiscard]] at::Tensor matrix_of(const rpc::Message& message, std::int64_t columns);

/// A reply to be completed later.
[[nodiscard]] Reply new_reply();
/// Completes it.
void complete(const Reply& reply, Message message);

}  // namespace torch_two_workers
