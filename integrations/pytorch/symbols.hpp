// SPDX-License-Identifier: Apache-2.0
// The symbols of libtorch_cpu that are replaced.
#pragma once

namespace gradtail::pytorch::symbols {

/// RpcWithAutograd::toMessageImpl() &&, called through the class's vtable.
inline constexpr char to_message[] =
    "_ZNO5torch11distributed8autograd15RpcWithAutograd13toMessageImplEv";
/// RpcWithAutograd::fromMessage(const rpc::Message&).
inline constexpr char from_message[] =
    "_ZN5torch11distributed8autograd15RpcWithAutograd11fromMessageERKNS0_3rpc7MessageE";
/// RpcWithProfilingReq::fromMessage(const rpc::Message&).
inline constexpr char from_profiled_request[] =
    "_ZN5torch11distributed8autograd19RpcWithProfilingReq11fromMessageERKNS0_3rpc7MessageE";
/// RpcWithProfilingResp::fromMessage(const rpc::Message&).
inline constexpr char from_profiled_response[] =
    "_ZN5torch11distributed8autograd20RpcWithProfilingResp11fromMessageERKNS0_3rpc7MessageE";

}  // namespace gradtail::pytorch::symbols
