// SPDX-License-Identifier: Apache-2.0
// A hostile peer's hand: sends RPCs that no PyTorch would make. Loaded by a Python that has joined
// the others with init_rpc.
#include <torch/csrc/distributed/autograd/rpc_messages/rpc_with_autograd.h>
#include <torch/csrc/distributed/rpc/rpc_agent.h>
#include <torch/csrc/distributed/rpc/script_call.h>
#include <torch/csrc/distributed/rpc/utils.h>
#include <torch/csrc/jit/runtime/operator.h>
#include <torch/csrc/jit/serialization/pickle.h>
#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gradtail/gradtail.hpp"

namespace {

namespace rpc = torch::distributed::rpc;
using Bytes = std::vector<char>;

constexpr std::int64_t sender = 1;
// A worker's first ids: with many zeros, which read as small sizes where a trailer is cut.
constexpr std::int64_t context = sender << 48;
constexpr std::int64_t message_id = sender << 48;

/// A call of aten::add.
c10::intrusive_ptr<rpc::Message> addition() {
  for (const auto& op : torch::jit::getAllOperatorsFor(c10::Symbol::fromQualString("aten::add"))) {
    if (op->schema().overload_name() != "Tensor") continue;
    std::vector<at::IValue> stack = {torch::ones({2}), torch::ones({2}), 1};
    return rpc::ScriptCall(op, std::move(stack)).toMessage();
  }
  throw std::logic_error("no aten::add");
}

/// PyTorch's own form of the metadata, with any numbers.
void add_tuple(Bytes& payload, std::int64_t wrapped_type, std::int64_t worker) {
  std::vector<at::IValue> values = {wrapped_type, context, message_id, worker,
                                    c10::Dict<std::string, std::string>()};
  std::vector<at::Tensor> tensors;
  Bytes tuple = torch::jit::pickle(c10::ivalue::Tuple::create(std::move(values)), &tensors);
  const auto size = tuple.size();
  payload.insert(payload.end(), tuple.begin(), tuple.end());
  for (int shift = 56; shift >= 0; shift -= 8) payload.push_back(static_cast<char>(size >> shift));
}

void add_trailer(Bytes& payload, gradtail::AutogradMetadata metadata) {
  if (!gradtail::append(payload, metadata)) throw std::logic_error("gradtail refused to write it");
}

/// The metadata of an honest call.
gradtail::AutogradMetadata honest(std::uint32_t wrapped_type) {
  return {.context_id = context,
          .message_id = message_id,
          .from_worker_id = sender,
          .wrapped_message_type = wrapped_type};
}

/// Makes one message, as `kind` says, in which `number` is wrong or says where.
void make(Bytes& payload, std::uint32_t type, std::string_view kind, std::int64_t number) {
  constexpr std::uint32_t autograd = rpc::MessageType::FORWARD_AUTOGRAD_REQ;
  gradtail::AutogradMetadata metadata = honest(type);
  const gradtail::DevicePair device[] = {
      {{static_cast<std::int8_t>(number), 0}, {static_cast<std::int8_t>(number), 0}}};
  if (kind == "tuple-worker") return add_tuple(payload, type, number);
  if (kind == "tuple-nest" || kind == "trailer-nest") {
    for (std::int64_t i = 0; i < number; ++i, type = autograd) {
      if (kind == "tuple-nest")
        add_tuple(payload, type, sender);
      else
        add_trailer(payload, honest(type));
    }
    return;
  }
  if (kind == "worker") metadata.from_worker_id = static_cast<std::int32_t>(number);
  if (kind == "type") metadata.wrapped_message_type = static_cast<std::uint32_t>(number);
  if (kind == "context") metadata.context_id = number;
  if (kind == "message") metadata.message_id = number;
  if (kind == "device") metadata.device_map = device;
  if (kind == "empty") payload.clear();
  add_trailer(payload, metadata);
  const auto at = static_cast<std::size_t>(number);
  if (kind == "flip") payload[payload.size() - 1 - at / 8] ^= static_cast<char>(1 << at % 8);
  if (kind == "cut") payload.resize(payload.size() - at);
  if (kind == "first-cut") payload.erase(payload.begin());
  if (kind == "short") payload.assign(at, 'x');
}

}  // namespace

/// Sends one such message to the worker of this id and waits for the answer. Null where the peer
/// has accepted it, else the error, valid until the next call.
extern "C" GRADTAIL_API const char* raw_rpc(int worker, const char* kind, std::int64_t number) {
  static std::string error;
  try {
    auto call = addition();
    const std::uint32_t type = call->type();
    auto tensors = call->tensors();
    Bytes payload = std::move(*call).movePayload();
    make(payload, type, kind, number);
    auto agent = rpc::RpcAgent::getCurrentRpcAgent();
    auto future =
        agent->send(agent->getWorkerInfo(static_cast<rpc::worker_id_t>(worker)),
                    c10::make_intrusive<rpc::Message>(std::move(payload), std::move(tensors),
                                                      rpc::MessageType::FORWARD_AUTOGRAD_REQ),
                    120);
    future->waitAndThrow();
    return nullptr;
  } catch (const std::exception& thrown) {
    error = thrown.what();
    return error.c_str();
  }
}
