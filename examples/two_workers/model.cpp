// SPDX-License-Identifier: Apache-2.0
// The arithmetic of the two layers and of the loss.
#include "model.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "random.hpp"

namespace two_workers {

namespace {

constexpr double learning_rate = 0.2;
constexpr double momentum = 0.9;

// Replaces a row by its softmax. Subtracting the largest keeps exp from overflowing.
void apply_softmax(std::span<double> row) {
  const double largest = *std::ranges::max_element(row);
  for (double& value : row) value = std::exp(value - largest);
  const double sum = std::accumulate(row.begin(), row.end(), 0.0);
  for (double& value : row) value /= sum;
}

}  // namespace

Layer::Layer(std::size_t input_count, std::size_t output_count, std::mt19937_64 random)
    : inputs_(input_count),
      outputs_(output_count),
      parameters_(output_count * (input_count + 1)),
      velocity_(parameters_.size()) {
  std::normal_distribution<double> normal(0.0, 1.0 / std::sqrt(static_cast<double>(input_count)));
  for (double& parameter : parameters_) parameter = normal(random);
}

std::span<const double> Layer::parameters_of(std::size_t output) const {
  return std::span(parameters_).subspan(output * (inputs_ + 1), inputs_ + 1);
}

Matrix Layer::forward(MatrixView input) const {
  Matrix result(input.rows, outputs_);
  for (std::size_t r = 0; r < input.rows; ++r) {
    const std::span<const double> in = input.row(r);
    for (std::size_t o = 0; o < outputs_; ++o) {
      const std::span<const double> parameters = parameters_of(o);
      result.row(r)[o] =
          std::inner_product(in.begin(), in.end(), parameters.begin(), parameters.back());
    }
  }
  return result;
}

Matrix Layer::input_gradient(MatrixView output_gradient) const {
  Matrix result(output_gradient.rows, inputs_);
  for (std::size_t r = 0; r < output_gradient.rows; ++r) {
    for (std::size_t o = 0; o < outputs_; ++o) {
      const double factor = output_gradient.row(r)[o];
      const std::span<const double> parameters = parameters_of(o);
      for (std::size_t i = 0; i < inputs_; ++i) result.row(r)[i] += factor * parameters[i];
    }
  }
  return result;
}

void Layer::add_gradient(MatrixView input, MatrixView output_gradient, Gradient& sum) const {
  for (std::size_t r = 0; r < input.rows; ++r) {
    const std::span<const double> in = input.row(r);
    for (std::size_t o = 0; o < outputs_; ++o) {
      const double factor = output_gradient.row(r)[o];
      const std::span<double> part = std::span(sum).subspan(o * (inputs_ + 1), inputs_ + 1);
      for (std::size_t i = 0; i < inputs_; ++i) part[i] += factor * in[i];
      part.back() += factor;
    }
  }
}

void Layer::step(const Gradient& gradient) {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    velocity_[i] = momentum * velocity_[i] - learning_rate * gradient[i];
    parameters_[i] += velocity_[i];
  }
}

Layer make_hidden_layer(std::uint64_t seed) {
  return Layer(feature_count, hidden_count, make_random(seed, Draw::hidden_layer));
}

Layer make_output_layer(std::uint64_t seed) {
  return Layer(hidden_count, class_count, make_random(seed, Draw::output_layer));
}

void apply_tanh(Matrix& matrix) {
  for (double& value : matrix.values) value = std::tanh(value);
}

Matrix tanh_gradient(MatrixView gradient, MatrixView activations) {
  Matrix result(gradient.rows, gradient.columns);
  for (std::size_t i = 0; i < result.values.size(); ++i) {
    const double activation = activations.values[i];
    result.values[i] = gradient.values[i] * (1.0 - activation * activation);
  }
  return result;
}

Loss cross_entropy(MatrixView outputs, std::span<const double> labels, double scale) {
  Loss loss{.gradient = Matrix(outputs.rows, outputs.columns)};
  for (std::size_t r = 0; r < outputs.rows; ++r) {
    const auto label = static_cast<std::size_t>(labels[r]);
    const std::span<double> row = loss.gradient.row(r);
    std::ranges::copy(outputs.row(r), row.begin());
    apply_softmax(row);
    loss.sum -= std::log(row[label]);
    if (row[label] == *std::ranges::max_element(row)) ++loss.correct;
    row[label] -= 1.0;
    for (double& value : row) value *= scale;
  }
  return loss;
}

}  // namespace two_workers
