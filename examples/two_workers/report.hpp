// SPDX-License-Identifier: Apache-2.0
// What a person at the terminal sees.
#pragma once

#include <chrono>
#include <cstdint>

#include "messages.hpp"

namespace two_workers {

/// How a training went.
struct Outcome {
  std::uint64_t steps = 0;
  double accuracy = 0;             ///< of the trained model on all data, 0..1
  double gradient_difference = 0;  ///< largest absolute one of all steps and both layers
  Traffic traffic = {};            ///< as worker 0 saw it, which is all of it
};

/// A line that is rewritten on a terminal, ten lines elsewhere.
class Progress {
 public:
  explicit Progress(std::uint64_t step_count);
  /// After each step: mean loss and share of correct predictions, 0..1.
  void show(std::uint64_t steps_done, double loss, double accuracy);

 private:
  [[nodiscard]] bool is_due(std::uint64_t steps_done);

  std::uint64_t step_count_;
  std::chrono::steady_clock::time_point last_ = {};
};

/// Prints the results and returns whether all that is required holds.
[[nodiscard]] bool print_summary(const Outcome& outcome);

}  // namespace two_workers
