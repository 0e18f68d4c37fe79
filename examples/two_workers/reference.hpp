// SPDX-License-Identifier: Apache-2.0
// The same classifier in one process, without any message: what the distributed one must equal.
#pragma once

#include <cstdint>

#include "iris.hpp"
#include "model.hpp"

namespace two_workers {

/// The gradients of one optimiser step.
struct StepGradients {
  Gradient hidden;
  Gradient output;
};

/// A model of its own, with the same initial weights for the same seed, trained by its own
/// gradients alone.
class Reference {
 public:
  explicit Reference(std::uint64_t seed)
      : hidden_layer_(make_hidden_layer(seed)), output_layer_(make_output_layer(seed)) {}

  /// One optimiser step on the mean loss of these flowers. Returns the gradients that it took.
  StepGradients step(const Flowers& flowers);

 private:
  Layer hidden_layer_;
  Layer output_layer_;
};

/// The largest absolute difference between two gradients of one layer; infinity for NaN.
[[nodiscard]] double largest_difference(const Gradient& a, const Gradient& b);

}  // namespace two_workers
