// SPDX-License-Identifier: Apache-2.0
// The classifier: two layers and the loss. Pure arithmetic, no messages.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>

#include "iris.hpp"

namespace two_workers {

inline constexpr int hidden_count = 16;

/// A matrix, or a part of a receive buffer seen as one.
using MatrixView = Eigen::Ref<const Matrix>;
using VectorView = Eigen::Ref<const Eigen::VectorXd>;

/// The matrix's bytes where they are, for a payload.
[[nodiscard]] std::span<const std::byte> bytes_of(const auto& matrix) {
  return std::as_bytes(std::span(matrix.data(), static_cast<std::size_t>(matrix.size())));
}

enum class Draw : std::uint32_t { hidden_layer, output_layer, flowers, answers };

/// Random numbers that depend on the seed alone, independent of each other for each use.
[[nodiscard]] inline std::mt19937_64 make_random(std::uint64_t seed, Draw draw) {
  std::seed_seq sequence{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32),
                         static_cast<std::uint32_t>(draw)};
  return std::mt19937_64(sequence);
}

/// A fully connected layer, trained by gradient descent with momentum.
class Layer {
 public:
  Layer(int inputs, int outputs, std::mt19937_64 random)
      : parameters_(outputs, inputs + 1), velocity_(Matrix::Zero(outputs, inputs + 1)) {
    std::normal_distribution<double> normal(0.0, 1.0 / std::sqrt(inputs));
    for (double& parameter : parameters_.reshaped()) parameter = normal(random);
  }

  /// One row of outputs for each row of inputs.
  [[nodiscard]] Matrix forward(const MatrixView& input) const {
    return (input * weights().transpose()).rowwise() + parameters_.rightCols<1>().transpose();
  }

  /// The loss's gradient with respect to the inputs, from that with respect to the outputs.
  [[nodiscard]] Matrix input_gradient(const MatrixView& output_gradient) const {
    return output_gradient * weights();
  }

  /// The gradient of the parameters: for each output, of the weights and then of the bias.
  [[nodiscard]] Matrix gradient(const MatrixView& input, const MatrixView& output_gradient) const {
    Matrix result(parameters_.rows(), parameters_.cols());
    result << output_gradient.transpose() * input, output_gradient.colwise().sum().transpose();
    return result;
  }

  [[nodiscard]] Matrix zero_gradient() const {
    return Matrix::Zero(parameters_.rows(), parameters_.cols());
  }

  /// One step of the optimizer.
  void step(const Matrix& gradient) {
    velocity_ = 0.9 * velocity_ - 0.2 * gradient;
    parameters_ += velocity_;
  }

 private:
  [[nodiscard]] MatrixView weights() const { return parameters_.leftCols(parameters_.cols() - 1); }

  Matrix parameters_;
  Matrix velocity_;
};

/// Both layers as they are before training. The same seed gives the same layers in any process.
[[nodiscard]] inline Layer make_hidden_layer(std::uint64_t seed) {
  return {feature_count, hidden_count, make_random(seed, Draw::hidden_layer)};
}
[[nodiscard]] inline Layer make_output_layer(std::uint64_t seed) {
  return {hidden_count, class_count, make_random(seed, Draw::output_layer)};
}

/// The hidden layer's outputs.
[[nodiscard]] inline Matrix activations_of(const Layer& layer, const MatrixView& features) {
  return layer.forward(features).array().tanh();
}

/// The gradient before the hidden layer's tanh, from that behind it.
[[nodiscard]] inline Matrix tanh_gradient(const MatrixView& gradient,
                                          const MatrixView& activations) {
  return gradient.array() * (1.0 - activations.array().square());
}

/// Softmax and cross-entropy of some rows.
struct Loss {
  double sum = 0;   ///< of the rows' losses
  int correct = 0;  ///< rows whose class has the largest output
  Matrix gradient;  ///< of sum * scale, with respect to the outputs
};

/// `labels` holds a class number for each row, less than the number of columns.
[[nodiscard]] inline Loss cross_entropy(const Matrix& outputs, const VectorView& labels,
                                        double scale) {
  // Subtracting the largest output keeps exp from overflowing.
  Loss loss{.gradient = (outputs.colwise() - outputs.rowwise().maxCoeff()).array().exp()};
  for (Eigen::Index r = 0; r < outputs.rows(); ++r) {
    auto row = loss.gradient.row(r);
    row /= row.sum();
    double& probability = row(static_cast<int>(labels(r)));
    loss.sum -= std::log(probability);
    if (probability == row.maxCoeff()) ++loss.correct;
    probability -= 1.0;
  }
  loss.gradient *= scale;
  return loss;
}

}  // namespace two_workers
