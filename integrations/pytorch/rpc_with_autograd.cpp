// SPDX-License-Identifier: Apache-2.0
// RpcWithAutograd on the wire: its metadata in a trailer instead of a pickled tuple.
//
// The members below are PyTorch's, as its header declares them. The preloaded library forwards
// calls of libtorch's own ones to them.
#include <c10/util/intrusive_ptr.h>
#include <torch/csrc/distributed/autograd/rpc_messages/rpc_with_autograd.h>
#include <torch/csrc/distributed/rpc/utils.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "exchange.hpp"
#include "nesting.hpp"
#include "symbols.hpp"

namespace torch::distributed::autograd {
namespace {

using namespace gradtail::pytorch;  // NOLINT(google-build-using-namespace): the same project

constexpr auto* forward = "an RPC";

/// The pickled tuple at the end of PyTorch's form, whose last 8 bytes are the tuple's size. Empty
/// where that is no size within the message: PyTorch would believe it.
std::span<const char> tuple_of(std::span<const char> bytes) {
  constexpr std::size_t length_size = sizeof(std::uint64_t);
  if (bytes.size() <= length_size) return {};
  std::uint64_t tuple_size = 0;
  for (const char byte : bytes.last(length_size)) {
    tuple_size = tuple_size << 8 | static_cast<unsigned char>(byte);
  }
  const auto before = bytes.first(bytes.size() - length_size);
  if (tuple_size >= before.size()) return {};
  return before.last(static_cast<std::size_t>(tuple_size));
}

/// A trailer may lack any field, and its numbers may be larger than PyTorch's.
void check_forward(const gradtail::AutogradMetadata& metadata) {
  check_present(metadata.context_id >= 0, forward, "context_id");
  check_present(metadata.message_id >= 0, forward, "message_id");
  check_present(metadata.from_worker_id >= 0, forward, "from_worker_id");
  check_present(metadata.wrapped_message_type > 0, forward, "wrapped_message_type");
  constexpr std::uint32_t most = 0x3ff;  // all bits of PyTorch's enum
  torch_check(metadata.wrapped_message_type <= most, "wrapped_message_type ",
              metadata.wrapped_message_type, " is out of range: PyTorch's are 1 to ", most);
}

/// The message inside another. Where nobody else holds the outer one, the inner one borrows its
/// payload and gives it back, with the trailer, at the end; otherwise the inner one has a copy.
class Unwrapped {
 public:
  Unwrapped(const Message& outer, const gradtail::MessageView& view)
      : outer_(const_cast<Message&>(outer)),  // NOLINT: make_intrusive makes no const ones
        borrows_(c10::raw::intrusive_ptr::use_count(&outer_) == 1) {
    const auto* first = outer.payload().data();
    const std::size_t size = view.payload().size();
    inner_ = c10::make_intrusive<Message>(
        std::vector<char>(), std::vector<torch::Tensor>(outer.tensors()),
        static_cast<MessageType>(view.metadata().wrapped_message_type), outer.id());
    if (borrows_) {
      trailer_.assign(first + size, first + size + view.trailer().size());
      // After all that can throw.
      inner_->payload() = std::move(outer_.payload());
      inner_->payload().resize(size);
    } else {
      inner_->payload().assign(first, first + size);
      count(Count::payloads_copied);
    }
  }
  ~Unwrapped() {
    if (!borrows_) return;
    outer_.payload() = std::move(*inner_).movePayload();
    outer_.payload().insert(outer_.payload().end(), trailer_.begin(), trailer_.end());
  }
  Unwrapped(const Unwrapped&) = delete;
  Unwrapped& operator=(const Unwrapped&) = delete;

  [[nodiscard]] const Message& message() const { return *inner_; }

 private:
  Message& outer_;
  bool borrows_;
  std::vector<char> trailer_;
  c10::intrusive_ptr<Message> inner_;
};

std::unique_ptr<RpcWithAutograd> from_trailer(const Message& message,
                                              const gradtail::MessageView& view) {
  const gradtail::AutogradMetadata metadata = view.metadata();
  check_forward(metadata);
  torch_check(!view.payload().empty(), forward, " has a trailer and nothing before it");
  const auto worker = gradtail::to_torch_worker(metadata.from_worker_id);
  auto device_map = gradtail::to_torch(metadata.device_map);

  const Unwrapped wrapped(message, view);
  MessageType type = wrapped.message().type();
  // deserializeResponse changes the type where the response wraps another one.
  auto rpc = message.type() == MessageType::FORWARD_AUTOGRAD_REQ
                 ? rpc::deserializeRequest(wrapped.message())
                 : rpc::deserializeResponse(wrapped.message(), type);
  return std::make_unique<RpcWithAutograd>(
      worker, message.type(), AutogradMetadata(metadata.context_id, metadata.message_id),
      std::move(rpc), type, wrapped.message().tensors(), std::move(device_map));
}

}  // namespace

c10::intrusive_ptr<Message> RpcWithAutograd::toMessageImpl() && {
  if (mode(Kind::forward) == Mode::read) return to_pickle<symbols::to_forward>(*this);
  Message& wrapped = *wrappedMessage_;
  torch_check(!wrapped.payload().empty(), forward, " without a payload");
  const auto device_map = gradtail::from_torch(deviceMap_);
  const gradtail::AutogradMetadata metadata = {.context_id = autogradMetadata_.autogradContextId,
                                               .message_id = autogradMetadata_.autogradMessageId,
                                               .from_worker_id = fromWorkerId_,
                                               .wrapped_message_type = wrapped.type(),
                                               .device_map = device_map};
  check_forward(metadata);
  append_trailer(wrapped.payload(), metadata);
  return c10::make_intrusive<Message>(std::move(wrapped).movePayload(), std::move(tensors_),
                                      messageType_, wrapped.id());
}

std::unique_ptr<RpcWithAutograd> RpcWithAutograd::fromMessage(const Message& message) {
  const Nesting nesting;
  if (const auto view = open_trailer(message, Kind::forward, forward)) {
    return from_trailer(message, *view);
  }
  check_pickled(tuple_of(message.payload()), forward);
  return from_pickle<RpcWithAutograd, symbols::from_forward>(message);
}

}  // namespace torch::distributed::autograd
