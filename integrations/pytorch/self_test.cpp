// SPDX-License-Identifier: Apache-2.0
// Checks that libtorch's calls reach the replacements: one message of each type, without a network.
#include <ATen/Version.h>
#include <torch/csrc/distributed/autograd/rpc_messages/cleanup_autograd_context_req.h>
#include <torch/csrc/distributed/autograd/rpc_messages/propagate_gradients_req.h>
#include <torch/csrc/distributed/autograd/rpc_messages/rpc_with_autograd.h>
#include <torch/csrc/distributed/autograd/rpc_messages/rref_backward_req.h>
#include <torch/csrc/distributed/rpc/python_call.h>
#include <torch/csrc/distributed/rpc/utils.h>
#include <torch/version.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "exchange.hpp"
#include "gradtail/export.hpp"
#include "preload.hpp"

extern "C" {
/// Whether this process has the PyTorch that this was built for.
GRADTAIL_API bool gradtail_pytorch_right_version();

/// Null where PyTorch's calls reach the replacements, else a sentence. May throw c10::Error.
GRADTAIL_API const char* gradtail_pytorch_self_test();
}

namespace gradtail::pytorch {
namespace {

namespace autograd = torch::distributed::autograd;
namespace rpc = torch::distributed::rpc;

using Command = std::unique_ptr<rpc::RpcCommandBase>;
using autograd::CleanupAutogradContextReq;
using autograd::PropagateGradientsReq;
using autograd::RpcWithAutograd;
using autograd::RRefBackwardReq;

// Any valid ones serve.
constexpr std::int64_t id = 7;
constexpr rpc::worker_id_t worker = 1;

std::uint64_t counted(Count what) {
  return gradtail_pytorch_counts()[static_cast<std::size_t>(what)];
}

std::uint64_t sent() { return counted(Count::trailers_sent) + counted(Count::pickles_sent); }

c10::intrusive_ptr<rpc::Message> python_call() {
  return rpc::PythonCall(rpc::SerializedPyObj("payload", {}), false).toMessage();
}

/// One command of each replaced type.
std::vector<std::pair<const char*, Command>> commands() {
  const autograd::AutogradMetadata metadata(id, id);
  std::vector<std::pair<const char*, Command>> made;
  made.emplace_back("RpcWithAutograd",
                    std::make_unique<RpcWithAutograd>(
                        worker, rpc::MessageType::FORWARD_AUTOGRAD_REQ, metadata, python_call()));
  made.emplace_back("PropagateGradientsReq",
                    std::make_unique<PropagateGradientsReq>(metadata, std::vector<at::Tensor>()));
  made.emplace_back("CleanupAutogradContextReq", std::make_unique<CleanupAutogradContextReq>(id));
  made.emplace_back("RRefBackwardReq",
                    std::make_unique<RRefBackwardReq>(rpc::RRefId(worker, id), id));
  return made;
}

/// Sends as PyTorch does, through the vtable: a compiler that knew the type would call directly.
c10::intrusive_ptr<rpc::Message> send(rpc::RpcCommandBase& command) {
  rpc::RpcCommandBase* volatile of_any_type = &command;
  return std::move(*of_any_type).toMessage();
}

/// A message with a trailer, whatever this process sends.
c10::intrusive_ptr<rpc::Message> message_of(rpc::MessageType type) {
  const auto call = python_call();
  std::vector<char> payload;
  if (type == rpc::MessageType::FORWARD_AUTOGRAD_REQ) payload = std::move(*call).movePayload();
  append_trailer(payload, {.context_id = id,
                           .message_id = id,
                           .from_worker_id = worker,
                           .wrapped_message_type = call->type(),
                           .rref_created_on = worker,
                           .rref_local_id = id});
  return c10::make_intrusive<rpc::Message>(std::move(payload), std::vector<at::Tensor>(), type);
}

std::string not_replaced(const std::string& function) {
  return "gradtail: this PyTorch doesn't let a preloaded library replace " + function;
}

/// Sends and reads one message of each type; each must reach a replacement, which counts it.
std::string check_types() {
  for (auto& [name, command] : commands()) {
    const auto sent_before = sent();
    const auto type = send(*command)->type();
    if (sent() == sent_before) return not_replaced(std::string(name) + "::toMessageImpl");
    const auto received_before = counted(Count::trailers_received);
    rpc::deserializeRequest(*message_of(type));
    if (counted(Count::trailers_received) == received_before) {
      return not_replaced(std::string(name) + "::fromMessage");
    }
  }
  return {};
}

}  // namespace
}  // namespace gradtail::pytorch

bool gradtail_pytorch_right_version() {
  return at::show_config().find("TORCH_VERSION=" TORCH_VERSION ",") != std::string::npos;
}

const char* gradtail_pytorch_self_test() {
  static std::string why;
  why = gradtail::pytorch::check_types();
  return why.empty() ? nullptr : why.c_str();
}
