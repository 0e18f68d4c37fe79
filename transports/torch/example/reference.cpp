// SPDX-License-Identifier: Apache-2.0
// One step of the single-process model, all flowers at once.
#include "reference.hpp"

#include <torch/csrc/autograd/autograd.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

#include "../../../examples/two_workers/iris.hpp"
#include "worker.hpp"

namespace torch_two_workers {

namespace {

std::vector<at::Tensor> copies(const std::vector<at::Tensor>& hidden_layer,
                               const std::vector<at::Tensor>& output_layer) {
  std::vector<at::Tensor> all = hidden_layer;
  all.insert(all.end(), output_layer.begin(), output_layer.end());
  if (all.size() != 4) throw std::runtime_error("a layer is not a weight and a bias");
  for (at::Tensor& one : all) one = one.detach().clone().requires_grad_();
  return all;
}

at::Tensor tensor_of(std::vector<double>& values) {
  return torch::from_blob(values.data(), {static_cast<std::int64_t>(values.size())}, at::kDouble);
}

}  // namespace

Flowers Flowers::pick(const at::Tensor& rows) const {
  return {features.index_select(0, rows), labels.index_select(0, rows)};
}

Flowers read_flowers(const std::filesystem::path& file, std::int64_t least) {
  two_workers::Flowers read = two_workers::read_iris(file);
  if (static_cast<std::int64_t>(read.labels.size()) < least) {
    throw std::runtime_error(file.string() + " has " + std::to_string(read.labels.size()) +
                             " flowers, fewer than --in-flight");
  }
  return {tensor_of(read.features.values).reshape({-1, feature_count}).to(at::kFloat),
          tensor_of(read.labels).to(at::kLong)};
}

at::Tensor loss_of(const at::Tensor& outputs, const at::Tensor& labels) {
  return torch::nll_loss(torch::log_softmax(outputs, 1), labels, {}, at::Reduction::Sum);
}

Reference::Reference(const std::vector<at::Tensor>& hidden_layer,
                     const std::vector<at::Tensor>& output_layer)
    : parameters_(copies(hidden_layer, output_layer)), optimizer_(make_optimizer(parameters_)) {}

std::vector<at::Tensor> Reference::step(const Flowers& flowers) {
  const at::Tensor hidden =
      torch::tanh(torch::linear(flowers.features, parameters_[0], parameters_[1]));
  const at::Tensor outputs = torch::linear(hidden, parameters_[2], parameters_[3]);
  const at::Tensor loss =
      loss_of(outputs, flowers.labels) / static_cast<double>(flowers.labels.size(0));
  std::vector<at::Tensor> gradients = torch::autograd::grad({loss}, parameters_);
  torch_two_workers::step(optimizer_, gradients);
  return gradients;
}

double largest_difference(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (a.size() != b.size()) return infinity;
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].sizes() != b[i].sizes()) return infinity;
    const double difference = (a[i] - b[i]).abs().max().item<double>();
    if (std::isnan(difference)) return infinity;
    largest = std::max(largest, difference);
  }
  return largest;
}

}  // namespace torch_two_workers
