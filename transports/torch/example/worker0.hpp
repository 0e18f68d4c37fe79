// SPDX-License-Identifier: Apache-2.0
// Worker 0: the data, the hidden layer, the loss and the training loop.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "options.hpp"
#include "reference.hpp"
#include "worker.hpp"

namespace torch_two_workers {

/// How a training went.
struct Outcome {
  std::int64_t steps = 0;
  std::int64_t passes = 0;
  double first_loss = 0;           ///< mean loss of the first step
  double last_loss = 0;            ///< and of the last
  double gradient_difference = 0;  ///< largest absolute one of all steps and both layers
};

class Worker0 : public Worker {
 public:
  Worker0(c10::intrusive_ptr<c10d::TCPStore> store, Flowers flowers, const Options& options);

  /// Trains. Throws std::exception if worker 1 is gone, hangs or breaks the protocol.
  Outcome run();

 private:
  /// A pass whose activations were sent.
  struct Pass {
    std::int64_t context_id;
    at::Tensor labels;
    Reply outputs;
  };

  [[nodiscard]] std::vector<at::Tensor> call_worker1(std::string_view name);
  double train(Reference& reference);
  [[nodiscard]] Pass start_pass(const at::Tensor& rows);
  [[nodiscard]] Reply finish_pass(const Pass& pass, double& loss);

  Flowers flowers_;
  Options options_;
  std::int64_t pass_size_;
  torch::optim::SGD optimizer_;
  Outcome outcome_;
};

}  // namespace torch_two_workers
