// SPDX-License-Identifier: Apache-2.0
// One step of the single-process model, all flowers at once.
#include "reference.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace two_workers {

StepGradients Reference::step(const Flowers& flowers) {
  Matrix hidden = hidden_layer_.forward(flowers.features);
  apply_tanh(hidden);
  const double scale = 1.0 / static_cast<double>(flowers.labels.size());
  const Loss loss = cross_entropy(output_layer_.forward(hidden), flowers.labels, scale);
  const Matrix hidden_gradient = tanh_gradient(output_layer_.input_gradient(loss.gradient), hidden);

  StepGradients gradients{Gradient(hidden_layer_.parameter_count()),
                          Gradient(output_layer_.parameter_count())};
  hidden_layer_.add_gradient(flowers.features, hidden_gradient, gradients.hidden);
  output_layer_.add_gradient(hidden, loss.gradient, gradients.output);
  hidden_layer_.step(gradients.hidden);
  output_layer_.step(gradients.output);
  return gradients;
}

double largest_difference(const Gradient& a, const Gradient& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = std::abs(a[i] - b[i]);
    if (std::isnan(difference)) return std::numeric_limits<double>::infinity();
    largest = std::max(largest, difference);
  }
  return largest;
}

}  // namespace two_workers
