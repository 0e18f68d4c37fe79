// SPDX-License-Identifier: Apache-2.0
// RpcWithAutograd on the wire: its metadata in a trailer instead of a pickled tuple.
//
// The members below are PyTorch's, as its header declares them. The preloaded library passes the
// calls of libtorch's own ones to these.
#include <c10/util/Exception.h>
#include <c10/util/intrusive_ptr.h>
#include <torch/csrc/distributed/autograd/rpc_messages/rpc_with_autograd.h>
#include <torch/csrc/distributed/rpc/utils.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "gradtail/gradtail.hpp"
#include "gradtail/torch.hpp"
#include "nesting.hpp"
#include "original.hpp"
#include "preload.hpp"
#include "symbols.hpp"

namespace torch::distributed::autograd {
namespace {

using namespace gradtail::pytorch;  // NOLINT
using rpc::Message;
using rpc::MessageType;

/// PyTorch's form, for peers without trailers.
c10::intrusive_ptr<Message> to_tuple(RpcWithAutograd& rpc) {
  using Original = c10::intrusive_ptr<Message>(RpcWithAutograd*);
  static Original* const original_function = original<Original>(symbols::to_message);
  auto message = original_function(&rpc);
  count(Count::tuples_sent);
  return message;
}

/// Reads PyTorch's form. Its last 8 bytes are the tuple's size, which PyTorch believes too much:
/// what is left of a damaged trailer ends here, by that size or as no pickle.
std::unique_ptr<RpcWithAutograd> from_tuple(const Message& message) {
  using Original = std::unique_ptr<RpcWithAutograd>(const Message&);
  static Original* const original_function = original<Original>(symbols::from_message);
  const std::vector<char>& bytes = message.payload();
  constexpr std::size_t length_size = sizeof(std::uint64_t);
  std::uint64_t tuple_size = 0;
  for (std::size_t i = length_size; i > 0 && bytes.size() > length_size; --i) {
    tuple_size = tuple_size << 8 | static_cast<unsigned char>(bytes[bytes.size() - i]);
  }
  const bool inside = tuple_size > 2 && tuple_size < bytes.size() - length_size;
  const char* tuple = inside ? &bytes[bytes.size() - length_size - tuple_size] : "";
  // Protocol 2, and the opcode that ends every pickle.
  const bool pickled =
      inside && tuple[0] == '\x80' && tuple[1] == 2 && tuple[tuple_size - 1] == '.';
  TORCH_CHECK(pickled, "gradtail: an RPC of ", bytes.size(),
              " bytes ends neither in a trailer nor in ",
              "PyTorch's pickled tuple: damaged, or of a peer with another format");
  auto rpc = original_function(message);
  count(Count::tuples_received);
  return rpc;
}

/// A trailer may lack any field, and its numbers may be larger than PyTorch's.
void check_forward(const gradtail::AutogradMetadata& metadata) {
  constexpr auto* lacks = "gradtail: the metadata of an RPC lacks its ";
  TORCH_CHECK(metadata.context_id >= 0, lacks, "context_id");
  TORCH_CHECK(metadata.message_id >= 0, lacks, "message_id");
  TORCH_CHECK(metadata.from_worker_id >= 0, lacks, "from_worker_id");
  TORCH_CHECK(metadata.wrapped_message_type > 0, lacks, "wrapped_message_type");
  constexpr std::uint32_t most = 0x3ff;  // all bits of PyTorch's enum
  TORCH_CHECK(metadata.wrapped_message_type <= most, "gradtail: wrapped_message_type ",
              metadata.wrapped_message_type, " is none of PyTorch's, which are 1 to ", most);
}

/// The message inside of another. Where nobody else holds the outer one, its payload is lent to the
/// inner one and comes back, with its trailer, when this ends; else the inner one has a copy.
class Unwrapped {
 public:
  Unwrapped(const Message& outer, const gradtail::MessageView& view)
      : outer_(const_cast<Message&>(outer)),  // NOLINT: make_intrusive makes no const ones
        lent_(c10::raw::intrusive_ptr::use_count(&outer_) == 1) {
    const auto* first = outer.payload().data();
    const std::size_t size = view.payload().size();
    inner_ = c10::make_intrusive<Message>(
        std::vector<char>(), std::vector<torch::Tensor>(outer.tensors()),
        static_cast<MessageType>(view.metadata().wrapped_message_type), outer.id());
    if (lent_) {
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
    if (!lent_) return;
    outer_.payload() = std::move(*inner_).movePayload();
    outer_.payload().insert(outer_.payload().end(), trailer_.begin(), trailer_.end());
  }
  Unwrapped(const Unwrapped&) = delete;
  Unwrapped& operator=(const Unwrapped&) = delete;

  [[nodiscard]] const Message& message() const { return *inner_; }

 private:
  Message& outer_;
  bool lent_;
  std::vector<char> trailer_;
  c10::intrusive_ptr<Message> inner_;
};

std::unique_ptr<RpcWithAutograd> from_trailer(const Message& message,
                                              const gradtail::MessageView& view) {
  const gradtail::AutogradMetadata metadata = view.metadata();
  check_forward(metadata);
  TORCH_CHECK(!view.payload().empty(), "gradtail: an RPC has a trailer and nothing before it");
  const auto worker = gradtail::to_torch_worker(metadata.from_worker_id);
  auto device_map = gradtail::to_torch(metadata.device_map);

  const Unwrapped wrapped(message, view);
  MessageType type = wrapped.message().type();
  // A response may tell of another type: that of what it wraps in turn.
  auto rpc = message.type() == MessageType::FORWARD_AUTOGRAD_REQ
                 ? rpc::deserializeRequest(wrapped.message())
                 : rpc::deserializeResponse(wrapped.message(), type);
  auto unwrapped = std::make_unique<RpcWithAutograd>(
      worker, message.type(), AutogradMetadata(metadata.context_id, metadata.message_id),
      std::move(rpc), type, wrapped.message().tensors(), std::move(device_map));
  count(Count::trailers_received);
  return unwrapped;
}

}  // namespace

c10::intrusive_ptr<Message> RpcWithAutograd::toMessageImpl() && {
  if (mode() == Mode::read) return to_tuple(*this);
  Message& wrapped = *wrappedMessage_;
  TORCH_CHECK(!wrapped.payload().empty(), "gradtail: an RPC without a payload");
  const auto device_map = gradtail::from_torch(deviceMap_);
  const gradtail::AutogradMetadata metadata = {.context_id = autogradMetadata_.autogradContextId,
                                               .message_id = autogradMetadata_.autogradMessageId,
                                               .from_worker_id = fromWorkerId_,
                                               .wrapped_message_type = wrapped.type(),
                                               .device_map = device_map};
  check_forward(metadata);
  const auto appended = gradtail::append(wrapped, metadata);
  TORCH_CHECK(appended.has_value(), "gradtail: ", gradtail::to_string(appended.error()));
  count(Count::trailers_sent);
  return c10::make_intrusive<Message>(std::move(wrapped).movePayload(), std::move(tensors_),
                                      messageType_, wrapped.id());
}

std::unique_ptr<RpcWithAutograd> RpcWithAutograd::fromMessage(const Message& message) {
  const Nesting nesting;
  TORCH_CHECK(message.type() == MessageType::FORWARD_AUTOGRAD_REQ ||
                  message.type() == MessageType::FORWARD_AUTOGRAD_RESP,
              "gradtail: message type ", message.type(), " is not of an RPC with autograd");
  const auto view = gradtail::open(message);
  if (view) return from_trailer(message, *view);
  TORCH_CHECK(view.error().code == gradtail::Code::absent,
              "gradtail: ", gradtail::to_string(view.error()));
  TORCH_CHECK(mode() != Mode::only,
              "gradtail: an RPC without a trailer, and GRADTAIL_PYTORCH=only takes no other");
  return from_tuple(message);
}

}  // namespace torch::distributed::autograd
