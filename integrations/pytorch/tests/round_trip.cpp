// SPDX-License-Identifier: Apache-2.0
// RPCs with autograd turned into messages and back by PyTorch's own functions, as they are called
// in a process where these are replaced. Loaded by round_trip_test.py.
#include <c10/util/intrusive_ptr.h>
#include <torch/csrc/distributed/autograd/rpc_messages/rpc_with_autograd.h>
#include <torch/csrc/distributed/rpc/python_call.h>
#include <torch/csrc/distributed/rpc/utils.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gradtail/export.hpp"

namespace {

namespace autograd = torch::distributed::autograd;
namespace rpc = torch::distributed::rpc;
using autograd::RpcWithAutograd;
using Call = c10::intrusive_ptr<rpc::Message>;

const c10::Device cpu(c10::kCPU);

c10::Device cuda(int index) { return {c10::kCUDA, static_cast<c10::DeviceIndex>(index)}; }

Call python_call() {
  return rpc::PythonCall(rpc::SerializedPyObj("payload", {}), false).toMessage();
}

/// As PyTorch sends: through the vtable, which a compiler that knew the type would leave out.
Call send(rpc::RpcCommandBase& command) {
  rpc::RpcCommandBase* volatile of_any_type = &command;
  return std::move(*of_any_type).toMessage();
}

/// What came back, of a message that is given to it and no one else.
std::unique_ptr<RpcWithAutograd> receive(const rpc::Message& message) {
  auto command = rpc::deserializeRequest(message);
  return std::unique_ptr<RpcWithAutograd>(static_cast<RpcWithAutograd*>(command.release()));
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

std::string all_fields() {
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
    if (!same(*receive(*message), sent)) return "worker " + std::to_string(sent.worker);
  }
  return {};
}

/// Reading lends the payload out, and must bring it back: other holders may read it later.
std::string unchanged() {
  const Sent sent = {1, 7, 8, {}};
  const Call message = wrapped(sent);
  const std::vector<char> before = message->payload();
  const auto* place = message->payload().data();
  for (int i = 0; i < 2; ++i) {
    if (!same(*receive(*message), sent)) return "read again, it differs";
    if (message->payload() != before) return "its payload has changed";
    if (message->payload().data() != place) return "its payload has moved";
  }
  const Call second_holder = message;
  if (!same(*receive(*message), sent)) return "with two holders it differs";
  if (message->payload() != before) return "with two holders its payload has changed";
  return {};
}

/// The same where what is inside can't be read.
std::string unchanged_on_error() {
  auto inner = c10::make_intrusive<rpc::Message>(std::vector<char>{'x'}, std::vector<at::Tensor>(),
                                                 static_cast<rpc::MessageType>(0x3ff));
  RpcWithAutograd command(1, rpc::MessageType::FORWARD_AUTOGRAD_REQ, {7, 8}, std::move(inner));
  const Call message = send(command);
  const std::vector<char> before = message->payload();
  try {
    receive(*message);
    return "a message of an unknown type was read";
  } catch (const c10::Error&) {
    return message->payload() == before ? "" : "after an error its payload has changed";
  }
}

/// What PyTorch would send and no peer could take.
std::string refused_values() {
  const Sent cases[] = {{-1, 7, 8, {}},
                        {1, -1, 8, {}},
                        {1, 7, -1, {}},
                        {1, 7, 8, {{cuda(0), cuda(2)}, {cuda(1), cuda(2)}}}};
  for (const Sent& sent : cases) {
    try {
      wrapped(sent);
      return "context " + std::to_string(sent.context) + " was sent";
    } catch (const c10::Error& error) {
      if (std::string(error.what()).find("gradtail") == std::string::npos) return error.what();
    }
  }
  return {};
}

}  // namespace

/// Null, or what went wrong. `trailers` says whether this process sends them.
extern "C" GRADTAIL_API const char* round_trip(bool trailers) {
  static std::string why;
  try {
    why = all_fields();
    if (why.empty()) why = unchanged();
    if (why.empty() && trailers) why = unchanged_on_error();
    if (why.empty() && trailers) why = refused_values();
  } catch (const std::exception& error) {
    why = error.what();
  }
  return why.empty() ? nullptr : why.c_str();
}
