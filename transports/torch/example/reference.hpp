// SPDX-License-Identifier: Apache-2.0
// The data as tensors, and the same classifier in one process: what the distributed one must equal.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/optim/sgd.h>

#include <filesystem>
#include <vector>

namespace torch_two_workers {

/// Some flowers.
struct Flowers {
  at::Tensor features;  ///< a row of floats for each
  at::Tensor labels;    ///< a class number for each

  [[nodiscard]] Flowers pick(const at::Tensor& rows) const;
};

/// Reads the CSV file. Throws std::runtime_error that names the file, the line and what is wrong,
/// also where there are fewer than `least` flowers.
[[nodiscard]] Flowers read_flowers(const std::filesystem::path& file, std::int64_t least);

/// Softmax and cross-entropy, summed over the rows.
[[nodiscard]] at::Tensor loss_of(const at::Tensor& outputs, const at::Tensor& labels);

/// A model of its own, trained by its own gradients alone.
class Reference {
 public:
  /// Starts from copies of these weights and biases.
  Reference(const std::vector<at::Tensor>& hidden_layer,
            const std::vector<at::Tensor>& output_layer);

  /// One step of the optimiser on the mean loss of these flowers. Returns the gradients it took,
  /// the hidden layer's first.
  std::vector<at::Tensor> step(const Flowers& flowers);

 private:
  std::vector<at::Tensor> parameters_;
  torch::optim::SGD optimizer_;
};

/// The largest absolute difference; infinity for NaN and for tensors of other shapes.
[[nodiscard]] double largest_difference(const std::vector<at::Tensor>& a,
                                        const std::vector<at::Tensor>& b);

}  // namespace torch_two_workers
