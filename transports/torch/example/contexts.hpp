// SPDX-License-Identifier: Apache-2.0
// A worker's side of the passes under way: the tensors it sent, and the gradients it has. Send
// functions are found by the ids of a trailer, and by nothing else.
#pragma once

#include <map>
#include <mutex>
#include <vector>

#include "messages.hpp"

namespace torch_two_workers {

/// A send function: a tensor that was sent, which waits for its gradient.
struct Sent {
  at::Tensor output;       ///< the tensor with its local graph
  at::Tensor input = {};   ///< where that graph begins, if it is a tensor that was received
  PairId input_pair = {};  ///< of the message that brought it
};

/// Any number of threads may use it.
class Contexts {
 public:
  /// Throws std::runtime_error if the pair is there already.
  void add(const PairId& pair, Sent sent) {
    const std::lock_guard lock(mutex_);
    if (!sent_.emplace(pair, std::move(sent)).second) {
      throw std::runtime_error("a pair is used twice: " + to_string(pair.metadata()));
    }
  }

  /// The send function of this pair, which is removed: its gradient comes once. Throws
  /// std::runtime_error if there is none.
  [[nodiscard]] Sent take(const PairId& pair) {
    const std::lock_guard lock(mutex_);
    auto found = sent_.extract(pair);
    if (found) return std::move(found.mapped());
    throw std::runtime_error("gradients for a pair that waits for none: " +
                             to_string(pair.metadata()));
  }

  /// Adds to the gradients of the layer's parameters in this pass.
  void add_gradients(std::int64_t context_id, std::vector<at::Tensor> gradients) {
    const std::lock_guard lock(mutex_);
    add_to(gradients_[context_id], gradients);
  }

  /// The sums over all passes, which end with it. Throws std::runtime_error if there are none, or
  /// if a send function still waits.
  [[nodiscard]] std::vector<at::Tensor> take_gradients() {
    const std::lock_guard lock(mutex_);
    if (gradients_.empty()) throw std::runtime_error("there are no gradients to step with");
    if (!sent_.empty()) {
      throw std::runtime_error("no gradient has come for " +
                               to_string(sent_.begin()->first.metadata()));
    }
    std::vector<at::Tensor> sums;
    for (const auto& [context_id, gradients] : std::exchange(gradients_, {})) {
      add_to(sums, gradients);
    }
    return sums;
  }

 private:
  static void add_to(std::vector<at::Tensor>& sums, const std::vector<at::Tensor>& gradients) {
    sums.resize(gradients.size());
    for (std::size_t i = 0; i < sums.size(); ++i) {
      sums[i] = sums[i].defined() ? sums[i] + gradients[i] : gradients[i];
    }
  }

  std::mutex mutex_;
  std::map<PairId, Sent> sent_;
  std::map<std::int64_t, std::vector<at::Tensor>> gradients_;  // by context
};

}  // namespace torch_two_workers
