// SPDX-License-Identifier: Apache-2.0
// libtorch's agents of two workers, and the store through which they find each other.
#pragma once

#include <torch/csrc/distributed/rpc/tensorpipe_agent.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <unordered_map>
#include <utility>
#include <vector>

namespace torch_agent {

namespace rpc = torch::distributed::rpc;
using Store = c10::intrusive_ptr<c10d::TCPStore>;
using Agent = std::shared_ptr<rpc::TensorPipeAgent>;

/// From 2.4 on libtorch would take libuv, which Debian's is built without.
template <class Options>
void without_libuv(Options& options) {
  if constexpr (requires { options.useLibUV; }) options.useLibUV = false;
}

/// The store: worker 0 holds it (on a port that the kernel chooses if `port` is 0), and worker 1
/// connects to it. Throws if that isn't possible in this time, which is also how long the agents
/// wait for each other.
inline Store make_store(int worker, const std::string& host, std::uint16_t port,
                        std::chrono::seconds patience = std::chrono::minutes(1)) {
  c10d::TCPStoreOptions options;
  options.port = port;
  options.isServer = worker == 0;
  options.waitWorkers = false;
  options.timeout = patience;
  without_libuv(options);
  return c10::make_intrusive<c10d::TCPStore>(host, options);
}

/// An agent to be started. Waits until the other worker is there too; throws if it doesn't come.
/// The other worker connects to an address of this network interface. Call it before there are
/// other threads.
inline Agent make_agent(int worker, const Store& store, const std::string& interface,
                        std::unique_ptr<rpc::RequestCallback> handler) {
  setenv("TP_SOCKET_IFNAME", interface.c_str(), 1);
  const std::vector<std::string> transports{"uv"};  // TCP
  const std::vector<std::string> channels{"basic"};
  constexpr float seconds = 20;  // until a request counts as failed
  const rpc::TensorPipeRpcBackendOptions options(4, transports, channels, seconds, "");
  return std::make_shared<rpc::TensorPipeAgent>(store, "worker" + std::to_string(worker),
                                                static_cast<rpc::worker_id_t>(worker), 2, options,
                                                std::unordered_map<std::string, rpc::DeviceMap>{},
                                                std::vector<c10::Device>{}, std::move(handler));
}

/// Answers requests until both workers have called this. Throws if the other one is gone, or takes
/// longer than the store's patience.
inline void leave(int worker, const Store& store, rpc::TensorPipeAgent& agent) {
  constexpr const char* left = "worker 1 has left";  // the store must not end before
  agent.join(true, 0);
  if (worker == 0) {
    store->wait({left}, std::chrono::seconds(10));
  } else {
    store->set(left, std::vector<std::uint8_t>{1});
  }
}

}  // namespace torch_agent
