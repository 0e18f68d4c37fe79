// SPDX-License-Identifier: Apache-2.0
// The messages of the backward pass: a trailer with nothing before it, and the gradients as the
// message's tensors. The members below are PyTorch's, as its headers declare them.
#include <c10/util/intrusive_ptr.h>
#include <torch/csrc/distributed/autograd/rpc_messages/cleanup_autograd_context_req.h>
#include <torch/csrc/distributed/autograd/rpc_messages/propagate_gradients_req.h>
#include <torch/csrc/distributed/autograd/rpc_messages/rref_backward_req.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "exchange.hpp"
#include "symbols.hpp"

namespace torch::distributed::autograd {
namespace {

using namespace gradtail::pytorch;  // NOLINT(google-build-using-namespace): the same project

constexpr auto* gradients = "a message with gradients";
constexpr auto* cleanup = "a cleanup of an autograd context";
constexpr auto* rref_backward = "a backward call of an RRef";

c10::intrusive_ptr<Message> to_trailer(const gradtail::AutogradMetadata& metadata, MessageType type,
                                       std::vector<at::Tensor> tensors = {}) {
  std::vector<char> payload;
  append_trailer(payload, metadata);
  return c10::make_intrusive<Message>(std::move(payload), std::move(tensors), type);
}

/// The metadata of a message, or nothing where the message is a pickle for PyTorch to read.
std::optional<gradtail::AutogradMetadata> from_trailer(const Message& message, Kind kind,
                                                       const char* what) {
  const auto view = open_trailer(message, kind, what);
  if (view) {
    torch_check(view->payload().empty(), what, " has ", view->payload().size(),
                " bytes before its trailer");
    return view->metadata();
  }
  check_pickled(message.payload(), what);
  return std::nullopt;
}

}  // namespace

c10::intrusive_ptr<Message> PropagateGradientsReq::toMessageImpl() && {
  if (mode(Kind::gradients) == Mode::read) return to_pickle<symbols::to_gradients>(*this);
  const auto [context_id, message_id] = autogradMetadata_;
  check_present(context_id >= 0, gradients, "context_id");
  check_present(message_id >= 0, gradients, "message_id");
  return to_trailer(
      {.context_id = context_id, .message_id = message_id, .retain_graph = retainGraph_},
      MessageType::BACKWARD_AUTOGRAD_REQ, std::move(grads_));
}

std::unique_ptr<PropagateGradientsReq> PropagateGradientsReq::fromMessage(const Message& message) {
  const auto metadata = from_trailer(message, Kind::gradients, gradients);
  if (!metadata) return from_pickle<PropagateGradientsReq, symbols::from_gradients>(message);
  check_present(metadata->context_id >= 0, gradients, "context_id");
  check_present(metadata->message_id >= 0, gradients, "message_id");
  return std::make_unique<PropagateGradientsReq>(
      AutogradMetadata(metadata->context_id, metadata->message_id), message.tensors(),
      metadata->retain_graph);
}

c10::intrusive_ptr<Message> CleanupAutogradContextReq::toMessageImpl() && {
  if (mode(Kind::cleanup) == Mode::read) return to_pickle<symbols::to_cleanup>(*this);
  check_present(context_id_ >= 0, cleanup, "context_id");
  return to_trailer({.context_id = context_id_}, MessageType::CLEANUP_AUTOGRAD_CONTEXT_REQ);
}

std::unique_ptr<CleanupAutogradContextReq> CleanupAutogradContextReq::fromMessage(
    const Message& message) {
  const auto metadata = from_trailer(message, Kind::cleanup, cleanup);
  if (!metadata) return from_pickle<CleanupAutogradContextReq, symbols::from_cleanup>(message);
  check_present(metadata->context_id >= 0, cleanup, "context_id");
  return std::make_unique<CleanupAutogradContextReq>(metadata->context_id);
}

// Context id -1 means a backward pass by the owner itself, outside of a distributed one.
c10::intrusive_ptr<Message> RRefBackwardReq::toMessageImpl() && {
  if (mode(Kind::rref_backward) == Mode::read) return to_pickle<symbols::to_rref_backward>(*this);
  check_present(rrefId_.createdOn_ >= 0, rref_backward, "rref_created_on");
  check_present(rrefId_.localId_ >= 0, rref_backward, "rref_local_id");
  return to_trailer({.context_id = autogradContextId_,
                     .retain_graph = retainGraph_,
                     .rref_created_on = rrefId_.createdOn_,
                     .rref_local_id = rrefId_.localId_},
                    MessageType::RREF_BACKWARD_REQ);
}

std::unique_ptr<RRefBackwardReq> RRefBackwardReq::fromMessage(const Message& message) {
  const auto metadata = from_trailer(message, Kind::rref_backward, rref_backward);
  if (!metadata) return from_pickle<RRefBackwardReq, symbols::from_rref_backward>(message);
  check_present(metadata->rref_created_on >= 0, rref_backward, "rref_created_on");
  check_present(metadata->rref_local_id >= 0, rref_backward, "rref_local_id");
  const rpc::RRefId rref(gradtail::to_torch_worker(metadata->rref_created_on),
                         metadata->rref_local_id);
  return std::make_unique<RRefBackwardReq>(rref, metadata->context_id, metadata->retain_graph);
}

}  // namespace torch::distributed::autograd
