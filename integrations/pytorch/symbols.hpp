// SPDX-License-Identifier: Apache-2.0
// The functions of libtorch_cpu that are replaced, by symbol. exports.map lists the same ones.
#pragma once

namespace gradtail::pytorch::symbols {

// T::toMessageImpl() &&, called through the class's vtable, and T::fromMessage(const Message&).

/// RpcWithAutograd: a call and its answer.
inline constexpr char to_forward[] =
    "_ZNO5torch11distributed8autograd15RpcWithAutograd13toMessageImplEv";
inline constexpr char from_forward[] =
    "_ZN5torch11distributed8autograd15RpcWithAutograd11fromMessageERKNS0_3rpc7MessageE";

/// PropagateGradientsReq: the gradients of one RPC.
inline constexpr char to_gradients[] =
    "_ZNO5torch11distributed8autograd21PropagateGradientsReq13toMessageImplEv";
inline constexpr char from_gradients[] =
    "_ZN5torch11distributed8autograd21PropagateGradientsReq11fromMessageERKNS0_3rpc7MessageE";

/// CleanupAutogradContextReq: the end of a context.
inline constexpr char to_cleanup[] =
    "_ZNO5torch11distributed8autograd25CleanupAutogradContextReq13toMessageImplEv";
inline constexpr char from_cleanup[] =
    "_ZN5torch11distributed8autograd25CleanupAutogradContextReq11fromMessageERKNS0_3rpc7MessageE";

/// RRefBackwardReq: RRef.backward, sent to the owner.
inline constexpr char to_rref_backward[] =
    "_ZNO5torch11distributed8autograd15RRefBackwardReq13toMessageImplEv";
inline constexpr char from_rref_backward[] =
    "_ZN5torch11distributed8autograd15RRefBackwardReq11fromMessageERKNS0_3rpc7MessageE";

/// RpcWithProfilingReq and RpcWithProfilingResp keep PyTorch's form: only their reading is bounded.
inline constexpr char from_profiled_request[] =
    "_ZN5torch11distributed8autograd19RpcWithProfilingReq11fromMessageERKNS0_3rpc7MessageE";
inline constexpr char from_profiled_response[] =
    "_ZN5torch11distributed8autograd20RpcWithProfilingResp11fromMessageERKNS0_3rpc7MessageE";

}  // namespace gradtail::pytorch::symbols
