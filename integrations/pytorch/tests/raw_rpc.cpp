// SPDX-License-Identifier: Apache-2.0
// Sends messages that no PyTorch would send. Loaded by a plain Python that has joined the others
// with init_rpc.
#include <torch/csrc/distributed/autograd/rpc_messages/cleanup_autograd_context_req.h>
#include <torch/csrc/distributed/autograd/rpc_messages/propagate_gradients_req.h>
#include <torch/csrc/distributed/autograd/rpc_messages/rpc_with_autograd.h>
#include <torch/csrc/distributed/autograd/rpc_messages/rref_backward_req.h>
#include <torch/csrc/distributed/rpc/rpc_agent.h>
#include <torch/csrc/distributed/rpc/script_call.h>
#include <torch/csrc/distributed/rpc/utils.h>
#include <torch/csrc/jit/runtime/operator.h>
#include <torch/csrc/jit/serialization/pickle.h>
#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gradtail/gradtail.hpp"

namespace {

namespace autograd = torch::distributed::autograd;
namespace rpc = torch::distributed::rpc;
using Bytes = std::vector<char>;
using MessagePtr = c10::intrusive_ptr<rpc::Message>;
using rpc::MessageType;

constexpr std::int64_t sender = 1;
// A worker's first ids. They have many zeros, which read as small sizes where a trailer is cut.
constexpr std::int64_t context = sender << 48;
constexpr std::int64_t message_id = sender << 48;

/// The id of an RRef of the receiver's, for RRef backward messages.
std::int16_t rref_created_on = 1;
std::int64_t rref_local_id = 0;

/// A call of aten::add.
MessagePtr addition() {
  for (const auto& op : torch::jit::getAllOperatorsFor(c10::Symbol::fromQualString("aten::add"))) {
    if (op->schema().overload_name() != "Tensor") continue;
    std::vector<at::IValue> stack = {torch::ones({2}), torch::ones({2}), 1};
    return rpc::ScriptCall(op, std::move(stack)).toMessage();
  }
  throw std::logic_error("no aten::add");
}

void add_trailer(Bytes& payload, const gradtail::AutogradMetadata& metadata) {
  if (!gradtail::append(payload, metadata)) throw std::logic_error("gradtail refused to write it");
}

/// PyTorch's own form of a call's metadata, with any numbers.
void add_tuple(Bytes& payload, std::int64_t wrapped_type, std::int64_t worker) {
  std::vector<at::IValue> values = {wrapped_type, context, message_id, worker,
                                    c10::Dict<std::string, std::string>()};
  std::vector<at::Tensor> tensors;
  Bytes tuple = torch::jit::pickle(c10::ivalue::Tuple::create(std::move(values)), &tensors);
  const auto size = tuple.size();
  payload.insert(payload.end(), tuple.begin(), tuple.end());
  for (int shift = 56; shift >= 0; shift -= 8) payload.push_back(static_cast<char>(size >> shift));
}

/// The metadata of an honest call.
gradtail::AutogradMetadata honest_call(std::uint32_t wrapped_type) {
  return {.context_id = context,
          .message_id = message_id,
          .from_worker_id = sender,
          .wrapped_message_type = wrapped_type};
}

/// A call in which `number` is wrong as `fault` says, or says how often it is wrapped.
MessagePtr make_call(std::string_view fault, std::int64_t number) {
  auto call = addition();
  std::uint32_t type = call->type();
  auto tensors = call->tensors();
  Bytes payload = std::move(*call).movePayload();
  gradtail::AutogradMetadata metadata = honest_call(type);
  const gradtail::DevicePair device[] = {
      {{static_cast<std::int8_t>(number), 0}, {static_cast<std::int8_t>(number), 0}}};
  if (fault == "tuple-nest" || fault == "trailer-nest") {
    for (std::int64_t i = 0; i < number; ++i, type = MessageType::FORWARD_AUTOGRAD_REQ) {
      if (fault == "tuple-nest")
        add_tuple(payload, type, sender);
      else
        add_trailer(payload, honest_call(type));
    }
  } else if (fault == "tuple-worker" || fault == "tuple-alone") {
    if (fault == "tuple-alone") payload.clear();
    add_tuple(payload, type, number);
  } else {
    if (fault == "worker") metadata.from_worker_id = static_cast<std::int32_t>(number);
    if (fault == "type") metadata.wrapped_message_type = static_cast<std::uint32_t>(number);
    if (fault == "context") metadata.context_id = number;
    if (fault == "message") metadata.message_id = number;
    if (fault == "device") metadata.device_map = device;
    if (fault == "empty") payload.clear();
    add_trailer(payload, metadata);
  }
  return c10::make_intrusive<rpc::Message>(std::move(payload), std::move(tensors),
                                           MessageType::FORWARD_AUTOGRAD_REQ);
}

/// A message of the backward pass in a trailer; the field that `fault` names is `number` or absent.
MessagePtr make_backward(MessageType type, std::string_view fault, std::int64_t number) {
  gradtail::AutogradMetadata metadata = {.context_id = context};
  std::vector<at::Tensor> tensors;
  if (type == MessageType::BACKWARD_AUTOGRAD_REQ) {
    metadata.message_id = message_id;
    tensors = {torch::ones({2})};
  }
  if (type == MessageType::RREF_BACKWARD_REQ) {
    metadata = {
        .retain_graph = true, .rref_created_on = rref_created_on, .rref_local_id = rref_local_id};
  }
  if (fault == "context") metadata.context_id = number;
  if (fault == "message") metadata.message_id = number;
  if (fault == "rref-worker") metadata.rref_created_on = static_cast<std::int32_t>(number);
  if (fault == "rref-local") metadata.rref_local_id = number;
  Bytes payload(fault == "before" ? static_cast<std::size_t>(number) : 0, 'x');
  add_trailer(payload, metadata);
  return c10::make_intrusive<rpc::Message>(std::move(payload), std::move(tensors), type);
}

/// The same in PyTorch's form.
MessagePtr make_pickled(MessageType type) {
  if (type == MessageType::FORWARD_AUTOGRAD_REQ) return make_call("tuple-worker", sender);
  if (type == MessageType::BACKWARD_AUTOGRAD_REQ) {
    return autograd::PropagateGradientsReq({context, message_id}, {torch::ones({2})}).toMessage();
  }
  if (type == MessageType::CLEANUP_AUTOGRAD_CONTEXT_REQ) {
    return autograd::CleanupAutogradContextReq(context).toMessage();
  }
  return autograd::RRefBackwardReq({rref_created_on, rref_local_id}, -1, true).toMessage();
}

MessagePtr make(MessageType type, std::string_view fault, std::int64_t number) {
  constexpr std::string_view pickled = "pickled";
  if (fault.starts_with(pickled)) return make_pickled(type);
  if (type == MessageType::FORWARD_AUTOGRAD_REQ) return make_call(fault, number);
  return make_backward(type, fault, number);
}

/// Damages the bytes where `fault` ends in a kind of damage.
void damage(Bytes& payload, std::string_view fault, std::int64_t number) {
  const auto at = static_cast<std::size_t>(number);
  if (fault.ends_with("flip"))
    payload.at(payload.size() - 1 - at / 8) ^= static_cast<char>(1 << at % 8);
  if (fault == "pickled-behind") payload.insert(payload.end(), at, 'x');
  if (fault == "pickled-before") payload.insert(payload.begin(), at, 'x');
  if (fault == "cut") payload.resize(payload.size() - at);
  if (fault == "first-cut") payload.erase(payload.begin());
  if (fault == "short") payload.assign(at, 'x');
}

MessageType type_named(std::string_view kind) {
  if (kind == "forward") return MessageType::FORWARD_AUTOGRAD_REQ;
  if (kind == "gradients") return MessageType::BACKWARD_AUTOGRAD_REQ;
  if (kind == "cleanup") return MessageType::CLEANUP_AUTOGRAD_CONTEXT_REQ;
  if (kind == "rref_backward") return MessageType::RREF_BACKWARD_REQ;
  throw std::invalid_argument("no such kind");
}

}  // namespace

/// Sets the RRef that RRef backward messages name.
extern "C" GRADTAIL_API void raw_rpc_rref(std::int16_t created_on, std::int64_t local_id) {
  rref_created_on = created_on;
  rref_local_id = local_id;
}

/// The size of such a message's payload in bytes.
extern "C" GRADTAIL_API std::int64_t raw_rpc_size(const char* kind, const char* fault) {
  return static_cast<std::int64_t>(make(type_named(kind), fault, 0)->payload().size());
}

/// Sends one message of the kind, faulty as `fault` and `number` say, to the worker of this id and
/// waits for the answer. Null where the peer has accepted it, else the error, valid until the next
/// call.
extern "C" GRADTAIL_API const char* raw_rpc(int worker, const char* kind, const char* fault,
                                            std::int64_t number) {
  static std::string error;
  try {
    auto message = make(type_named(kind), fault, number);
    damage(message->payload(), fault, number);
    auto agent = rpc::RpcAgent::getCurrentRpcAgent();
    constexpr float timeout_seconds = 120;
    agent
        ->send(agent->getWorkerInfo(static_cast<rpc::worker_id_t>(worker)), std::move(message),
               timeout_seconds)
        ->waitAndThrow();
    return nullptr;
  } catch (const std::exception& thrown) {
    error = thrown.what();
    return error.c_str();
  }
}
