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

#include "gradtail/export.hpp"
#include "gradtail/torch.hpp"
#include "preload.hpp"

/// Null where PyTorch's calls reach the replacements, else a sentence. May throw c10::Error.
extern "C" GRADTAIL_API const char* gradtail_pytorch_self_test();

namespace gradtail::pytorch {
namespace {

namespace autograd = torch::distributed::autograd;
namespace rpc = torch::distributed::rpc;

using Command = std::unique_ptr<rpc::RpcCommandBase>;
using Metadata = autograd::AutogradMetadata;

std::uint64_t counted(Count what) {
  return gradtail_pytorch_counts()[static_cast<std::size_t>(what)];
}

std::uint64_t sent() { return counted(Count::trailers_sent) + counted(Count::pickles_sent); }

/// One command of each replaced type.
std::vector<std::pair<const char*, Command>> commands() {
  auto call = rpc::PythonCall(rpc::SerializedPyObj("payload", {}), false).toMessage();
  std::vector<std::pair<const char*, Command>> made;
  made.emplace_back("RpcWithAutograd", std::make_unique<autograd::RpcWithAutograd>(
                                           1, rpc::MessageType::FORWARD_AUTOGRAD_REQ,
                                           Metadata(7, 8), std::move(call)));
  made.emplace_back("PropagateGradientsReq", std::make_unique<autograd::PropagateGradientsReq>(
                                                 Metadata(7, 8), std::vector<at::Tensor>(), false));
  made.emplace_back("CleanupAutogradContextReq",
                    std::make_unique<autograd::CleanupAutogradContextReq>(7));
  made.emplace_back("RRefBackwardReq",
                    std::make_unique<autograd::RRefBackwardReq>(rpc::RRefId(1, 7), 7, false));
  return made;
}

/// Sends as PyTorch does, through the vtable: a compiler that knew the type would call directly.
c10::intrusive_ptr<rpc::Message> send(rpc::RpcCommandBase& command) {
  rpc::RpcCommandBase* volatile of_any_type = &command;
  return std::move(*of_any_type).toMessage();
}

/// A message with a trailer, whatever this process sends.
c10::intrusive_ptr<rpc::Message> message_of(rpc::MessageType type) {
  const auto call = rpc::PythonCall(rpc::SerializedPyObj("payload", {}), false).toMessage();
  std::vector<char> payload;
  if (type == rpc::MessageType::FORWARD_AUTOGRAD_REQ) payload = std::move(*call).movePayload();
  const auto done = append(payload, {.context_id = 7,
                                     .message_id = 8,
                                     .from_worker_id = 1,
                                     .wrapped_message_type = call->type(),
                                     .rref_created_on = 1,
                                     .rref_local_id = 7});
  detail::torch_check(done.has_value(), "no trailer could be written");
  return c10::make_intrusive<rpc::Message>(std::move(payload), std::vector<at::Tensor>(), type);
}

std::string check_version() {
  const std::string expected = "TORCH_VERSION=" TORCH_VERSION;
  if (at::show_config().find(expected + ",") != std::string::npos) return {};
  return "gradtail: built for PyTorch " TORCH_VERSION ", which isn't the one in this process";
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

const char* gradtail_pytorch_self_test() {
  using namespace gradtail::pytorch;  // NOLINT(google-build-using-namespace): the same project
  static std::string why;
  why = check_version();
  if (why.empty()) why = check_types();
  return why.empty() ? nullptr : why.c_str();
}
