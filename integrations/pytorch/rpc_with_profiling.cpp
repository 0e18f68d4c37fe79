// SPDX-License-Identifier: Apache-2.0
// RpcWithProfiling on the wire: PyTorch's own form, with a bound on how deep it is nested.
#include <torch/csrc/distributed/autograd/rpc_messages/rpc_with_profiling_req.h>
#include <torch/csrc/distributed/autograd/rpc_messages/rpc_with_profiling_resp.h>

#include <memory>

#include "exchange.hpp"
#include "nesting.hpp"
#include "symbols.hpp"

namespace torch::distributed::autograd {
namespace {

using namespace gradtail::pytorch;  // NOLINT(google-build-using-namespace): the same project

template <class Rpc, const char* symbol>
std::unique_ptr<Rpc> read_bounded(const Message& message) {
  using Function = std::unique_ptr<Rpc>(const Message&);
  static auto* const function = original<Function>(symbol);
  const Nesting nesting;
  return function(message);
}

}  // namespace

std::unique_ptr<RpcWithProfilingReq> RpcWithProfilingReq::fromMessage(const Message& message) {
  return read_bounded<RpcWithProfilingReq, symbols::from_profiled_request>(message);
}

std::unique_ptr<RpcWithProfilingResp> RpcWithProfilingResp::fromMessage(const Message& message) {
  return read_bounded<RpcWithProfilingResp, symbols::from_profiled_response>(message);
}

}  // namespace torch::distributed::autograd
