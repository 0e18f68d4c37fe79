// SPDX-License-Identifier: Apache-2.0
// RpcWithProfiling on the wire: PyTorch's own form, with a bound on how deep it is nested.
#include <torch/csrc/distributed/autograd/rpc_messages/rpc_with_profiling_req.h>
#include <torch/csrc/distributed/autograd/rpc_messages/rpc_with_profiling_resp.h>

#include <memory>

#include "nesting.hpp"
#include "original.hpp"
#include "symbols.hpp"

namespace torch::distributed::autograd {

using namespace gradtail::pytorch;  // NOLINT

std::unique_ptr<RpcWithProfilingReq> RpcWithProfilingReq::fromMessage(const rpc::Message& message) {
  using Original = std::unique_ptr<RpcWithProfilingReq>(const rpc::Message&);
  static Original* const read = original<Original>(symbols::from_profiled_request);
  const Nesting nesting;
  return read(message);
}

std::unique_ptr<RpcWithProfilingResp> RpcWithProfilingResp::fromMessage(
    const rpc::Message& message) {
  using Original = std::unique_ptr<RpcWithProfilingResp>(const rpc::Message&);
  static Original* const read = original<Original>(symbols::from_profiled_response);
  const Nesting nesting;
  return read(message);
}

}  // namespace torch::distributed::autograd
