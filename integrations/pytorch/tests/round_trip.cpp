// SPDX-License-Identifier: Apache-2.0
// Turns every replaced kind of message into bytes and back by PyTorch's own calls, in a process
// where these are replaced. Loaded by round_trip_test.py.
#include <c10/util/intrusive_ptr.h>
#include <torch/csrc/distributed/autograd/rpc_messages/cleanup_autograd_context_req.h>
#include <torch/csrc/distributed/autograd/rpc_messages/propagate_gradients_req.h>
#include <torch/csrc/distributed/autograd/rpc_messages/rpc_with_autograd.h>
#include <torch/csrc/distributed/autograd/rpc_messages/rref_backward_req.h>
#include <torch/csrc/distributed/rpc/python_call.h>
#include <torch/csrc/distributed/rpc/python_resp.h>
#include <torch/csrc/distributed/rpc/utils.h>
#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gradtail/export.hpp"

namespace {

namespace autograd = torch::distributed::autograd;
namespace rpc = torch::distributed::rpc;
using autograd::CleanupAutogradContextReq;
using autograd::PropagateGradientsReq;
using autograd::RpcWithAutograd;
using autograd::RRefBackwardReq;
using Call = c10::intrusive_ptr<rpc::Message>;

const c10::Device cpu(c10::kCPU);

c10::Device cuda(int index) { return {c10::kCUDA, static_cast<c10::DeviceIndex>(index)}; }

Call python_call() {
  return rpc::PythonCall(rpc::SerializedPyObj("payload", {}), false).toMessage();
}

void require(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

/// Throws unless gradtail refuses, and not PyTorch, in whose stack trace the library's name is,
/// too.
template <class Function>
void require_refusal(Function function, const std::string& accepted) {
  try {
    function();
  } catch (const c10::Error& error) {
    return require(std::string_view(error.what_without_backtrace()).starts_with("gradtail: "),
                   error.what());
  }
  throw std::runtime_error(accepted);
}

/// As PyTorch sends: through the vtable, which a compiler that knew the type would leave out.
Call send(rpc::RpcCommandBase& command) {
  rpc::RpcCommandBase* volatile of_any_type = &command;
  return std::move(*of_any_type).toMessage();
}

template <class Command = RpcWithAutograd>
std::unique_ptr<Command> receive(const rpc::Message& message) {
  auto command = rpc::deserializeRequest(message);
  return std::unique_ptr<Command>(static_cast<Command*>(command.release()));
}

struct Sent {
  rpc::worker_id_t worker;
  std::int64_t context, message;
  rpc::DeviceMap devices;
};

Call wrapped(const Sent& sent) {
  RpcWithAutograd command(sent.worker, rpc::MessageType::FORWARD_AUTOGRAD_REQ,
                          {sent.context, sent.message}, python_call(), sent.devices);
  Call message = send(command);
  message->setId(77);
  return message;
}

bool same(RpcWithAutograd& got, const Sent& sent) {
  const auto& call = static_cast<rpc::PythonCall&>(got.wrappedRpc());
  return got.fromWorkerId() == sent.worker &&
         got.autogradMetadata().autogradContextId == sent.context &&
         got.autogradMetadata().autogradMessageId == sent.message &&
         got.deviceMap() == sent.devices &&
         got.wrappedMessageType() == rpc::MessageType::PYTHON_CALL &&
         call.serializedPyObj().payload_ == "payload";
}

void all_fields() {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  rpc::DeviceMap full;
  for (int i = 0; i < 127; ++i) full.emplace(cuda(i), cuda(126 - i));
  full.emplace(cpu, cpu);
  const Sent cases[] = {{0, 0, 0, {}},
                        {1, 7, 8, {{cuda(0), cuda(1)}, {cuda(1), cuda(0)}}},
                        {32767, most - 1, most, full},
                        {2, 1, 2, {{cpu, cuda(-1)}, {cuda(-1), cpu}}}};
  for (const Sent& sent : cases) {
    const Call message = wrapped(sent);
    require(same(*receive(*message), sent), "worker " + std::to_string(sent.worker));
  }
}

/// Reading lends the payload out, and must bring it back: other holders may read it later.
void unchanged() {
  const Sent sent = {1, 7, 8, {}};
  const Call message = wrapped(sent);
  const std::vector<char> before = message->payload();
  const auto* place = message->payload().data();
  for (int i = 0; i < 2; ++i) {
    require(same(*receive(*message), sent), "read again, it differs");
    require(message->payload() == before, "its payload has changed");
    require(message->payload().data() == place, "its payload has moved");
  }
  const Call second_holder = message;
  require(same(*receive(*message), sent), "with two holders it differs");
  require(message->payload() == before, "with two holders its payload has changed");
}

/// The same where what is inside can't be read.
void unchanged_on_error() {
  auto inner = c10::make_intrusive<rpc::Message>(std::vector<char>{'x'}, std::vector<at::Tensor>(),
                                                 static_cast<rpc::MessageType>(0x3ff));
  RpcWithAutograd command(1, rpc::MessageType::FORWARD_AUTOGRAD_REQ, {7, 8}, std::move(inner));
  const Call message = send(command);
  const std::vector<char> before = message->payload();
  try {
    receive(*message);
  } catch (const c10::Error&) {
    return require(message->payload() == before, "after an error its payload has changed");
  }
  throw std::runtime_error("a message of an unknown type was read");
}

/// Each bit of an answer's trailer. Requests are damaged on the wire, by hostile_test.py.
void refused_answers() {
  RpcWithAutograd answer(1, rpc::MessageType::FORWARD_AUTOGRAD_RESP, {7, 8},
                         rpc::PythonResp(rpc::SerializedPyObj("payload", {})).toMessage());
  const Call message = send(answer);
  auto type = message->type();
  rpc::deserializeResponse(*message, type);
  constexpr std::size_t trailer_size = 64;
  for (std::size_t bit = 0; bit < 8 * trailer_size; ++bit) {
    char& byte = message->payload().end()[-1 - static_cast<std::ptrdiff_t>(bit / 8)];
    byte = static_cast<char>(byte ^ 1 << bit % 8);
    const std::vector<char> damaged = message->payload();
    require_refusal([&] { rpc::deserializeResponse(*message, type); },
                    "an answer was read, with a flip of bit " + std::to_string(bit));
    require(message->payload() == damaged, "a refused answer has changed");
    byte = static_cast<char>(byte ^ 1 << bit % 8);
  }
}

/// What PyTorch would send and no peer could take.
void refused_values() {
  const Sent cases[] = {{-1, 7, 8, {}},
                        {1, -1, 8, {}},
                        {1, 7, -1, {}},
                        {1, 7, 8, {{cuda(0), cuda(2)}, {cuda(1), cuda(2)}}}};
  for (const Sent& sent : cases) {
    require_refusal([&] { wrapped(sent); },
                    "context " + std::to_string(sent.context) + " was sent");
  }
}

constexpr auto most = std::numeric_limits<std::int64_t>::max();

/// Sends the same command twice and reads the result. PyTorch's fault injection recognizes a resend
/// by its payload, so both must have the same bytes.
template <class Command, class Make, class Same>
bool comes_back(Make make, Same same_as) {
  Command first = make();
  Command second = make();
  const Call message = send(first);
  if (message->payload() != send(second)->payload()) return false;
  return same_as(*receive<Command>(*message));
}

/// The same tensor twice, sparse and undefined ones, and none at all.
void gradients_come_back() {
  const at::Tensor dense = torch::arange(4);
  const at::Tensor sparse = torch::eye(2).to_sparse();
  const std::vector<at::Tensor> lists[] = {
      {}, {dense}, {dense, dense}, {sparse, dense, sparse}, {at::Tensor(), dense}};
  const std::pair<std::int64_t, std::int64_t> ids[] = {{0, 0}, {7, 8}, {most, most - 1}};
  for (const auto& list : lists) {
    for (const auto& [context, message] : ids) {
      for (const bool retain : {false, true}) {
        const auto make = [&] { return PropagateGradientsReq({context, message}, list, retain); };
        const bool same = comes_back<PropagateGradientsReq>(make, [&](auto& got) {
          bool all = got.getGrads().size() == list.size() && got.retainGraph() == retain &&
                     got.getAutogradMetadata().autogradContextId == context &&
                     got.getAutogradMetadata().autogradMessageId == message;
          for (std::size_t i = 0; all && i < list.size(); ++i) {
            all = got.getGrads()[i].is_same(list[i]) || !list[i].defined();
          }
          return all;
        });
        require(same, std::to_string(list.size()) + " gradients differ");
      }
    }
  }
}

void cleanups_come_back() {
  for (const std::int64_t context : {std::int64_t{0}, std::int64_t{7}, most}) {
    const bool same = comes_back<CleanupAutogradContextReq>(
        [&] { return CleanupAutogradContextReq(context); },
        [&](auto& got) { return got.getContextId() == context; });
    require(same, "a cleanup of " + std::to_string(context) + " differs");
  }
}

/// Context -1 is a backward call outside of a distributed backward pass.
void rref_backwards_come_back() {
  for (const std::int64_t context : {std::int64_t{-1}, std::int64_t{0}, most}) {
    for (const bool retain : {false, true}) {
      const rpc::RRefId rref = retain ? rpc::RRefId(32767, most) : rpc::RRefId(0, 0);
      const bool same = comes_back<RRefBackwardReq>(
          [&] { return RRefBackwardReq(rref, context, retain); },
          [&](auto& got) {
            return got.getRRefId() == rref && got.getAutogradContextId() == context &&
                   got.retainGraph() == retain;
          });
      require(same, "a backward call of an RRef in " + std::to_string(context) + " differs");
    }
  }
}

/// What PyTorch never sends: ids that mean nothing, and a call of nothing.
void refused_messages() {
  RpcWithAutograd no_call(
      1, rpc::MessageType::FORWARD_AUTOGRAD_REQ, {7, 8},
      c10::make_intrusive<rpc::Message>(std::vector<char>(), std::vector<at::Tensor>(),
                                        rpc::MessageType::PYTHON_CALL));
  PropagateGradientsReq no_context({-1, 8}, {});
  PropagateGradientsReq no_message({7, -1}, {});
  CleanupAutogradContextReq cleanup(-1);
  RRefBackwardReq no_worker(rpc::RRefId(-1, 7), 7);
  RRefBackwardReq no_id(rpc::RRefId(1, -1), 7);
  rpc::RpcCommandBase* const commands[] = {&no_call, &no_context, &no_message,
                                           &cleanup, &no_worker,  &no_id};
  for (rpc::RpcCommandBase* command : commands) {
    require_refusal([&] { send(*command); }, "a message that means nothing was sent");
  }
}

}  // namespace

/// Null, or what went wrong. `trailers` says whether this process sends them.
extern "C" GRADTAIL_API const char* round_trip(bool trailers) {
  static std::string why;
  try {
    all_fields();
    unchanged();
    gradients_come_back();
    cleanups_come_back();
    rref_backwards_come_back();
    if (!trailers) return nullptr;
    unchanged_on_error();
    refused_answers();
    refused_values();
    refused_messages();
    return nullptr;
  } catch (const std::exception& error) {
    why = error.what();
    return why.c_str();
  }
}
