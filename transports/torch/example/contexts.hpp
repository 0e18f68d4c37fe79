// SPDX-License-Identifier: Apache-2.0
// A worker's side of the passes that are under way: what it sent, and the gradients it has.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <mutex>
#include <vector>

#include "messages.hpp"

namespace torch_two_workers {

/// A send function: a tensor that was sent, which waits for its gradient.
struct Sent {
  at::Tensor output;             ///< the tensor with its local graph
  at::Tensor input = {};         ///< where that graph begins, if it is a tensor that was received
  PairId input_pair = {};        ///< of the message that brought it
  std::int16_t input_from = -1;  ///< the worker that sent it, and gets its gradient
};

/// Any number of threads may use it.
class Contexts {
 public:
  /// Throws std::runtime_error if the pair is there already.
  void add(const PairId& pair, Sent sent);

  /// The send function of this pair, which leaves the register: its gradient comes once. Throws
  /// std::runtime_error if there is none.
  [[nodiscard]] Sent take(const PairId& pair);

  /// Adds to the gradients of the layer's parameters in this pass.
  void add_gradients(std::int64_t context_id, std::vector<at::Tensor> gradients);

  /// The sums over all passes, which end with it. Throws std::runtime_error if there are none, or
  /// if a send function still waits.
  [[nodiscard]] std::vector<at::Tensor> take_gradients();

 private:
  std::mutex mutex_;
  std::map<PairId, Sent> sent_;
  std::map<std::int64_t, std::vector<at::Tensor>> gradients_;  // by context
};

}  // namespace torch_two_workers
