// SPDX-License-Identifier: Apache-2.0
// One end of a libtorch RPC between two workers on this machine.
#pragma once

#include <torch/csrc/distributed/rpc/tensorpipe_agent.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <utility>
#include <vector>

namespace end_to_end {

namespace rpc = torch::distributed::rpc;

/// What answers a request: gives the response's payload.
using Handler = std::function<std::vector<char>(const rpc::Message& request)>;

inline constexpr const char* process_key = "server's process";
inline constexpr const char* end_key = "caller's end";

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

/// The server waits by it for the end of the caller's requests.
inline auto make_store(std::uint16_t port, bool is_server) {
  c10d::TCPStoreOptions options;
  options.port = port;
  options.isServer = is_server;
  options.waitWorkers = false;
  options.timeout = std::chrono::seconds(is_server ? 3600 : 10);
  return c10::make_intrusive<c10d::TCPStore>("127.0.0.1", options);
}

/// On TCP, as between machines. The current agent is what readWrappedPayload asks for its types.
inline auto start(c10::intrusive_ptr<c10d::TCPStore> store, rpc::worker_id_t worker,
                  Handler handler) {
  setenv("TP_SOCKET_IFNAME", "lo", 0);
  const std::vector<std::string> transports{"uv"};
  const std::vector<std::string> channels{"basic"};
  const rpc::TensorPipeRpcBackendOptions options(2, transports, channels, 20.0F, "");
  auto agent = std::make_shared<rpc::TensorPipeAgent>(
      std::move(store), "worker" + std::to_string(worker), worker, 2, options,
      std::unordered_map<std::string, rpc::DeviceMap>{}, std::vector<c10::Device>{},
      std::make_unique<Callback>(std::move(handler)));
  agent->setTypeResolver(std::make_shared<rpc::TypeResolver>(type_of));
  agent->start();
  rpc::RpcAgent::setCurrentRpcAgent(agent);
  return agent;
}

inline pid_t process_in(c10d::TCPStore& store) {
  const std::vector<std::uint8_t> text = store.get(process_key);
  return std::stoi(std::string(text.begin(), text.end()));
}

inline void stop(rpc::TensorPipeAgent& agent) {
  agent.join(true, 30);
  agent.shutdown();
  rpc::RpcAgent::setCurrentRpcAgent(nullptr);
}

/// The server, worker 0, serves until the caller, worker 1, ends. Calls `ready` with the port of
/// its store, chosen by the kernel.
inline void serve(const std::function<void(std::uint16_t port)>& ready, Handler handler) {
  auto store = make_store(0, true);
  const std::string process = std::to_string(getpid());
  store->set(process_key, {process.begin(), process.end()});
  ready(store->getPort());
  stop(*start(store, 0, std::move(handler)));
  store->wait({end_key});  // it ends with this process, and the caller's agent needs it to stop
}

/// Worker 1, while it lives.
class Caller {
 public:
  explicit Caller(std::uint16_t port)
      : store_(make_store(port, false)),
        server_process_(process_in(*store_)),
        agent_(start(store_, 1, [](const rpc::Message&) -> std::vector<char> { return {}; })),
        server_(agent_->getWorkerInfo(rpc::worker_id_t{0})) {}
  ~Caller() {
    stop(*agent_);
    store_->set(end_key, {});
  }
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
  c10::intrusive_ptr<c10d::TCPStore> store_;
  pid_t server_process_;
  std::shared_ptr<rpc::TensorPipeAgent> agent_;
  const rpc::WorkerInfo& server_;
};

}  // namespace end_to_end
