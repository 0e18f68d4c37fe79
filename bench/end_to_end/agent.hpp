// SPDX-License-Identifier: Apache-2.0
// One end of a libtorch RPC between two workers on this machine.
#pragma once

#include <sys/types.h>
#include <torch/csrc/distributed/rpc/tensorpipe_agent.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <vector>

namespace end_to_end {

/// What answers a request: gives the response's payload.
using Handler = std::function<std::vector<char>(const torch::distributed::rpc::Message& request)>;

/// The server, worker 0, serves until the caller, worker 1, ends. Calls `ready` with the port of
/// its store, chosen by the kernel.
void serve(const std::function<void(std::uint16_t port)>& ready, Handler handler);

/// Worker 1, while it lives.
class Caller {
 public:
  explicit Caller(std::uint16_t port);
  ~Caller();
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  /// Sends one request and waits for its response.
  c10::intrusive_ptr<torch::distributed::rpc::Message> send(std::vector<char> payload);

  /// The server's process id.
  [[nodiscard]] pid_t server_process() const { return server_process_; }

 private:
  c10::intrusive_ptr<c10d::TCPStore> store_;
  pid_t server_process_;
  std::shared_ptr<torch::distributed::rpc::TensorPipeAgent> agent_;
  const torch::distributed::rpc::WorkerInfo& server_;
};

}  // namespace end_to_end
