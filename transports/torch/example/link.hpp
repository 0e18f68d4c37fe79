// SPDX-License-Identifier: Apache-2.0
// The connection between the two workers: libtorch's TensorPipeAgent, and the store by which the
// agents find each other.
#pragma once

#include <torch/csrc/distributed/rpc/tensorpipe_agent.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "messages.hpp"
#include "options.hpp"

namespace torch_two_workers {

/// For an answer, and for a worker's next message.
inline constexpr std::chrono::seconds patience{10};
/// For the other worker to be started.
inline constexpr std::chrono::seconds start_patience{30};

/// Ends the process at once, with status 1, and one line that says why: libtorch's threads can't be
/// joined while they wait for a worker that is gone. Of several threads the first one speaks. Calls
/// what std::at_quick_exit was given.
[[noreturn]] void die(std::int16_t worker, const std::string& what);

/// What an exception says, without libtorch's stack trace.
[[nodiscard]] std::string reason(const std::exception& error);

/// The store: worker 0 holds it, on this port (0: the kernel chooses), worker 1 connects to it.
/// Throws std::runtime_error that says what to do.
[[nodiscard]] c10::intrusive_ptr<c10d::TCPStore> make_store(std::int16_t worker,
                                                            const Master& master);

class Link {
 public:
  /// Answers a request, on a thread of the agent's; what it throws is sent as the answer.
  using Handler = std::function<Reply(rpc::Message& request)>;

  /// Waits until the other worker is there too. Throws std::runtime_error if it doesn't come.
  /// `handler` may be called before this returns.
  Link(std::int16_t self, c10::intrusive_ptr<c10d::TCPStore> store, Handler handler);

  /// Sends a request with these metadata, from this worker. `seconds` until it counts as failed;
  /// 0 for never.
  [[nodiscard]] Reply send(rpc::MessageType type, gradtail::AutogradMetadata metadata,
                           std::vector<at::Tensor> tensors, std::string_view text = {},
                           std::chrono::seconds seconds = patience);

  /// The answer to a request; throws std::runtime_error with what the other worker says is wrong,
  /// or that it doesn't answer.
  [[nodiscard]] Message wait(const Reply& reply) const;

  /// From now on this process dies when the other one does: asks it for an answer that it gives at
  /// its end, and gets an error instead where the connection breaks.
  void watch();

  /// Leaves when the other worker does, once all is answered.
  void leave();

 private:
  std::int16_t self_;
  std::int16_t other_;
  c10::intrusive_ptr<c10d::TCPStore> store_;
  std::shared_ptr<rpc::TensorPipeAgent> agent_;
};

}  // namespace torch_two_workers
