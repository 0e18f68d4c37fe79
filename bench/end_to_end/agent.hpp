// SPDX-License-Identifier: Apache-2.0
// One end of a libtorch RPC between two workers on this machine.
#pragma once

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "../../transports/torch/example/agent.hpp"

namespace end_to_end {

namespace rpc = torch::distributed::rpc;

/// What answers a request: gives the response's payload.
using Handler = std::function<std::vector<char>(const rpc::Message& request)>;

inline constexpr const char* process_key = "server's process";

inline auto message_of(std::vector<char> payload, rpc::MessageType type) {
  return c10::make_intrusive<rpc::Message>(std::move(payload), std::vector<at::Tensor>{}, type);
}

class Callback : public rpc::RequestCallback {
 public:
  explicit Callback(Handler handler) : handler_(std::move(handler)) {}

 private:
  c10::intrusive_ptr<rpc::JitFuture> processMessage(rpc::Message& request,
                                                    std::vector<c10::Stream>) const override {
    const auto response = message_of(handler_(request), rpc::FORWARD_AUTOGRAD_RESP);
    auto future = c10::make_intrusive<rpc::JitFuture>(at::AnyClassType::get());
    future->markCompleted(c10::IValue(response), response->getStorages());
    return future;
  }

  Handler handler_;
};

/// The only type that readWrappedPayload asks for; Python would parse its name.
inline c10::StrongTypePtr type_of(const c10::QualifiedName& name) {
  if (name.qualifiedName() != "Dict[str, str]") throw std::runtime_error("no device map");
  return {nullptr, c10::DictType::create(c10::StringType::get(), c10::StringType::get())};
}

/// The current agent is what readWrappedPayload asks for its types.
inline torch_agent::Agent start(const torch_agent::Store& store, int worker, Handler handler) {
  auto agent =
      torch_agent::make_agent(worker, store, "lo", std::make_unique<Callback>(std::move(handler)));
  agent->setTypeResolver(std::make_shared<rpc::TypeResolver>(type_of));
  agent->start();
  rpc::RpcAgent::setCurrentRpcAgent(agent);
  return agent;
}

inline void stop(int worker, const torch_agent::Store& store, rpc::TensorPipeAgent& agent) {
  torch_agent::leave(worker, store, agent);
  rpc::RpcAgent::setCurrentRpcAgent(nullptr);
}

/// The server, worker 0, serves until the caller, worker 1, ends. Calls `ready` with the port of
/// its store, chosen by the kernel.
inline void serve(const std::function<void(std::uint16_t port)>& ready, Handler handler) {
  const auto store = torch_agent::make_store(0, "127.0.0.1", 0, std::chrono::hours(1));
  const std::string process = std::to_string(getpid());
  store->set(process_key, std::vector<std::uint8_t>{process.begin(), process.end()});
  ready(store->getPort());
  stop(0, store, *start(store, 0, std::move(handler)));
}

inline pid_t process_in(c10d::TCPStore& store) {
  const std::vector<std::uint8_t> text = store.get(process_key);
  return std::stoi(std::string(text.begin(), text.end()));
}

/// Worker 1, while it lives.
class Caller {
 public:
  explicit Caller(std::uint16_t port)
      : store_(torch_agent::make_store(1, "127.0.0.1", port)),
        server_process_(process_in(*store_)),
        agent_(start(store_, 1, [](const rpc::Message&) -> std::vector<char> { return {}; })),
        server_(agent_->getWorkerInfo(rpc::worker_id_t{0})) {}
  ~Caller() { stop(1, store_, *agent_); }
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  /// Sends one request and waits for its response.
  c10::intrusive_ptr<rpc::Message> send(std::vector<char> payload) {
    const auto future =
        agent_->send(server_, message_of(std::move(payload), rpc::FORWARD_AUTOGRAD_REQ));
    future->waitAndThrow();
    return future->value().toCustomClass<rpc::Message>();
  }

  /// The server's process id.
  [[nodiscard]] pid_t server_process() const { return server_process_; }

 private:
  torch_agent::Store store_;
  pid_t server_process_;
  torch_agent::Agent agent_;
  const rpc::WorkerInfo& server_;
};

}  // namespace end_to_end
