// SPDX-License-Identifier: Apache-2.0
// Whether libtorch's calls arrive here: one RPC to this process itself, without a network.
#include <ATen/Version.h>
#include <torch/csrc/distributed/autograd/rpc_messages/rpc_with_autograd.h>
#include <torch/csrc/distributed/rpc/python_call.h>
#include <torch/csrc/distributed/rpc/utils.h>
#include <torch/version.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "gradtail/export.hpp"
#include "gradtail/torch.hpp"
#include "preload.hpp"
#include "symbols.hpp"

/// Null where PyTorch's calls arrive here, else a sentence. May throw c10::Error.
extern "C" GRADTAIL_API const char* gradtail_pytorch_self_test();

namespace gradtail::pytorch {
namespace {

namespace autograd = torch::distributed::autograd;
namespace rpc = torch::distributed::rpc;

std::uint64_t counted(Count what) {
  return gradtail_pytorch_counts()[static_cast<std::size_t>(what)];
}

c10::intrusive_ptr<rpc::Message> python_call() {
  return rpc::PythonCall(rpc::SerializedPyObj("payload", {}), false).toMessage();
}

/// As PyTorch calls it, through the vtable; a compiler that knew the type would call it directly.
void send(rpc::RpcCommandBase& message) {
  rpc::RpcCommandBase* volatile of_any_type = &message;
  std::move(*of_any_type).toMessage();
}

std::string check_version() {
  const std::string expected = "TORCH_VERSION=" TORCH_VERSION;
  if (at::show_config().find(expected + ",") != std::string::npos) return {};
  return "gradtail: built for PyTorch " TORCH_VERSION ", which isn't the one in this process";
}

std::string check_sending() {
  const auto sent = [] { return counted(Count::trailers_sent) + counted(Count::tuples_sent); };
  const auto before = sent();
  autograd::RpcWithAutograd call(1, rpc::MessageType::FORWARD_AUTOGRAD_REQ, {7, 8}, python_call());
  send(call);
  if (sent() > before) return {};
  return "gradtail: this PyTorch doesn't let a preloaded library replace " +
         std::string(symbols::to_message);
}

std::string check_receiving() {
  const auto before = counted(Count::trailers_received);
  const auto call = python_call();
  const auto done = append(*call, {.context_id = 7,
                                   .message_id = 8,
                                   .from_worker_id = 1,
                                   .wrapped_message_type = call->type()});
  std::vector<char> payload = std::move(*call).movePayload();
  const auto message = c10::make_intrusive<rpc::Message>(
      std::move(payload), std::vector<at::Tensor>(), rpc::MessageType::FORWARD_AUTOGRAD_REQ);
  if (done) rpc::deserializeRequest(*message);
  if (counted(Count::trailers_received) > before) return {};
  return "gradtail: this PyTorch doesn't let a preloaded library replace " +
         std::string(symbols::from_message);
}

}  // namespace
}  // namespace gradtail::pytorch

const char* gradtail_pytorch_self_test() {
  using namespace gradtail::pytorch;  // NOLINT
  static std::string why;
  for (auto* check : {check_version, check_sending, check_receiving}) {
    why = check();
    if (!why.empty()) return why.c_str();
  }
  return nullptr;
}
