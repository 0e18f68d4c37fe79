// SPDX-License-Identifier: Apache-2.0
// The classifier: two layers and the loss. Pure arithmetic, nothing of messages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace two_workers {

inline constexpr std::size_t feature_count = 4;
inline constexpr std::size_t hidden_count = 16;
inline constexpr std::size_t class_count = 3;

/// Rows of numbers that lie somewhere else: in a Matrix, or in a receive buffer.
struct MatrixView {
  std::size_t rows;
  std::size_t columns;
  std::span<const double> values;  ///< row after row

  [[nodiscard]] std::span<const double> row(std::size_t index) const {
    return values.subspan(index * columns, columns);
  }
};

struct Matrix {
  Matrix(std::size_t row_count, std::size_t column_count)
      : rows(row_count), columns(column_count), values(row_count * column_count) {}

  std::size_t rows;
  std::size_t columns;
  std::vector<double> values;

  [[nodiscard]] std::span<double> row(std::size_t index) {
    return std::span(values).subspan(index * columns, columns);
  }
  operator MatrixView() const { return {rows, columns, values}; }  // NOLINT: a view of itself
};

/// The gradient of a layer's parameters, in the order in which the layer keeps them.
using Gradient = std::vector<double>;

/// A fully connected layer, trained by gradient descent with momentum.
class Layer {
 public:
  Layer(std::size_t input_count, std::size_t output_count, std::mt19937_64 random);

  [[nodiscard]] std::size_t parameter_count() const { return parameters_.size(); }

  /// One row of outputs for each row of inputs.
  [[nodiscard]] Matrix forward(MatrixView input) const;

  /// The loss's gradient with respect to the inputs, from that with respect to the outputs.
  [[nodiscard]] Matrix input_gradient(MatrixView output_gradient) const;

  /// Adds what these rows contribute to the gradient of the parameters.
  void add_gradient(MatrixView input, MatrixView output_gradient, Gradient& sum) const;

  /// One step of the optimiser.
  void step(const Gradient& gradient);

 private:
  // For each output, the weights of the inputs and then the bias.
  [[nodiscard]] std::span<const double> parameters_of(std::size_t output) const;

  std::size_t inputs_;
  std::size_t outputs_;
  std::vector<double> parameters_;
  std::vector<double> velocity_;
};

/// Both layers as they are before training. The same seed gives the same layers, in any process.
[[nodiscard]] Layer make_hidden_layer(std::uint64_t seed);
[[nodiscard]] Layer make_output_layer(std::uint64_t seed);

/// The hidden layer's activation function, in place.
void apply_tanh(Matrix& matrix);

/// The gradient before the activation function, from that behind it and what came out of it.
[[nodiscard]] Matrix tanh_gradient(MatrixView gradient, MatrixView activations);

/// Softmax and cross-entropy of some rows.
struct Loss {
  double sum = 0;           ///< of the rows' losses
  std::size_t correct = 0;  ///< rows whose class has the largest output
  Matrix gradient;          ///< of sum * scale, with respect to the outputs
};

/// `labels` holds one class number per row, which is below the number of columns.
[[nodiscard]] Loss cross_entropy(MatrixView outputs, std::span<const double> labels, double scale);

}  // namespace two_workers
