// SPDX-License-Identifier: Apache-2.0
// What both workers have: a layer, the passes under way, and the receive handler.
#pragma once

#include <torch/nn/modules/linear.h>
#include <torch/optim/sgd.h>

#include <condition_variable>
#include <cstdint>
#include <gradtail/gradtail.hpp>
#include <mutex>
#include <vector>

#include "contexts.hpp"
#include "link.hpp"
#include "messages.hpp"

namespace torch_two_workers {

inline constexpr std::int64_t feature_count = 4;
inline constexpr std::int64_t hidden_count = 16;
inline constexpr std::int64_t class_count = 3;

[[nodiscard]] torch::optim::SGD make_optimizer(std::vector<at::Tensor> parameters);

/// One step of the optimiser with these gradients of its parameters.
void step(torch::optim::SGD& optimizer, const std::vector<at::Tensor>& gradients);

class Worker {
 public:
  /// Meets the other worker. Throws std::runtime_error if it doesn't come.
  Worker(std::int16_t self, torch::nn::Linear layer, c10::intrusive_ptr<c10d::TCPStore> store);
  virtual ~Worker() = default;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

 protected:
  /// Watches the other worker from now on, and waits until that one does. Throws
  /// std::runtime_error if it takes too long.
  void meet();
  /// Answers the other worker's watch, then leaves with it.
  void leave();

  /// A new id, of a context or of a message that this worker sends.
  [[nodiscard]] std::int64_t new_id();
  /// The metadata of a message, or of its answer. Throws std::runtime_error unless it says that it
  /// is from the other worker.
  [[nodiscard]] gradtail::MessageView open_from_other(const rpc::Message& message) const;
  /// An answer, from this worker.
  [[nodiscard]] Message answer(rpc::MessageType type, const PairId& pair,
                               std::vector<at::Tensor> tensors = {}) const;

  /// Answers a request that isn't about gradients. Throws std::runtime_error for one that the
  /// worker can't answer.
  virtual Reply call(const rpc::Message& request, const gradtail::MessageView& view);

  torch::nn::Linear layer_;
  Contexts contexts_;

 private:
  Reply handle(const rpc::Message& request);
  Reply backward(const rpc::Message& request, const PairId& pair);
  void pass_back(const PairId& to, at::Tensor gradient, const Reply& reply, const PairId& pair);
  Reply be_watched();

  std::int16_t self_;
  gradtail::IdGenerator ids_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_watched_ = false;
  Reply watch_;  // what this worker owes to the other one's watch

 protected:
  Link link_;  // the last, as it calls the handler
};

}  // namespace torch_two_workers
