// SPDX-License-Identifier: Apache-2.0
// Worker 0: the data, the hidden layer and the training loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <gradtail/gradtail.hpp>
#include <map>
#include <random>
#include <span>
#include <vector>

#include "iris.hpp"
#include "messages.hpp"
#include "model.hpp"
#include "options.hpp"
#include "reference.hpp"
#include "report.hpp"

namespace two_workers {

class Worker0 {
 public:
  /// Throws std::runtime_error if the data are too few for so many passes.
  Worker0(Channel channel, Flowers flowers, const Options& options);

  /// Trains, then has the trained model judged on all data. Throws std::runtime_error if worker 1
  /// is gone, hangs or breaks the protocol.
  Outcome run();

 private:
  /// A pass between its forward and its backward half.
  struct Pass {
    Flowers flowers;
    Matrix activations;
    bool answered = false;
  };

  /// What worker 1 says of a whole step.
  struct Report {
    double loss;
    double correct;
    Gradient gradient;
  };

  void step();
  void start_pass(std::span<const std::size_t> numbers);
  [[nodiscard]] Report receive_answers();
  void finish_pass(const Message& answer);
  [[nodiscard]] static Report read_report(const Message& message, std::size_t gradient_size);
  void compare(const Gradient& output_gradient, std::span<const std::size_t> numbers);
  [[nodiscard]] double evaluate();

  Channel channel_;
  Flowers flowers_;
  std::uint64_t step_count_;
  std::size_t pass_count_;

  Layer layer_;
  Reference reference_;
  gradtail::IdGenerator ids_{0};
  std::mt19937_64 random_;
  std::vector<std::size_t> order_;
  Progress progress_;
  Outcome outcome_;

  // The step that is under way. Payloads are sent from here, and maybe again: they stay until
  // worker 1 has shown that it has them.
  std::map<PassId, Pass> passes_;
  Gradient gradient_;
};

}  // namespace two_workers
