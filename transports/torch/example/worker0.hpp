// SPDX-License-Identifier: Apache-2.0
// Worker 0: the data, the hidden layer, the loss and the training loop. It starts all passes of a
// step, then takes them up again in another order.
#pragma once

#include <torch/csrc/autograd/autograd.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "worker.hpp"

namespace torch_two_workers {

using support::class_count;
using support::feature_count;

/// How a training went.
struct Outcome {
  std::int64_t passes = 0;
  double first_loss = 0;           ///< mean loss of the first step
  double last_loss = 0;            ///< and of the last
  double gradient_difference = 0;  ///< largest absolute one of all steps and both layers
};

/// Flowers as tensors: rows of floats and class numbers.
struct Tensors {
  at::Tensor features;
  at::Tensor labels;

  [[nodiscard]] Tensors pick(const at::Tensor& rows) const {
    return {features.index_select(0, rows), labels.index_select(0, rows)};
  }
};

inline Tensors tensors_of(const support::Flowers& flowers) {
  const auto copy = [](const auto& matrix, at::IntArrayRef sizes, at::ScalarType type) {
    return torch::from_blob(const_cast<double*>(matrix.data()), sizes, at::kDouble).to(type);
  };
  return {copy(flowers.features, {flowers.labels.size(), feature_count}, at::kFloat),
          copy(flowers.labels, {flowers.labels.size()}, at::kLong)};
}

/// Softmax and cross-entropy, summed over the rows.
inline at::Tensor loss_of(const at::Tensor& outputs, const at::Tensor& labels) {
  return torch::nll_loss(torch::log_softmax(outputs, 1), labels, {}, at::Reduction::Sum);
}

/// The same classifier in one process, trained by its own gradients alone: what the distributed one
/// must equal.
class Reference {
 public:
  /// Starts from copies of these weights and biases: the hidden layer's, then the output layer's.
  explicit Reference(const std::vector<at::Tensor>& parameters) {
    if (parameters.size() != 4) throw std::runtime_error("a layer is not a weight and a bias");
    for (const at::Tensor& one : parameters) {
      parameters_.push_back(one.detach().clone().requires_grad_());
    }
    optimizer_.emplace(make_optimizer(parameters_));
  }

  /// One step on the mean loss of these flowers. Returns how far its gradients are from these;
  /// infinity for NaN and for tensors of other shapes.
  double step(const Tensors& flowers, const std::vector<at::Tensor>& gradients) {
    const at::Tensor hidden =
        torch::tanh(torch::linear(flowers.features, parameters_[0], parameters_[1]));
    const at::Tensor loss =
        loss_of(torch::linear(hidden, parameters_[2], parameters_[3]), flowers.labels);
    const std::vector<at::Tensor> own =
        torch::autograd::grad({loss / static_cast<double>(flowers.labels.size(0))}, parameters_);
    torch_two_workers::step(*optimizer_, own);
    double largest = 0;
    for (std::size_t i = 0; i < own.size(); ++i) {
      const bool comparable =
          gradients.size() == own.size() && own[i].sizes() == gradients[i].sizes();
      const double difference =
          comparable ? (own[i] - gradients[i]).abs().max().item<double>() : NAN;
      if (std::isnan(difference)) return std::numeric_limits<double>::infinity();
      largest = std::max(largest, difference);
    }
    return largest;
  }

 private:
  std::vector<at::Tensor> parameters_;
  std::optional<torch::optim::SGD> optimizer_;
};

class Worker0 : public Worker {
 public:
  Worker0(Store store, const support::Flowers& flowers, const Options& options)
      : Worker(0, torch::nn::Linear(feature_count, hidden_count), std::move(store)),
        flowers_(tensors_of(flowers)),
        options_(options),
        pass_size_(flowers_.labels.size(0) / options.in_flight) {}

  /// Trains. Throws std::exception if worker 1 is gone, hangs or breaks the protocol.
  Outcome run() {
    meet();
    Reference reference(with_those_of_worker1(layer_->parameters(), "parameters"));
    support::Progress progress(static_cast<std::uint64_t>(options_.steps));
    for (std::int64_t done = 1; done <= options_.steps; ++done) {
      outcome_.last_loss = train(reference);
      if (done == 1) outcome_.first_loss = outcome_.last_loss;
      progress.show(static_cast<std::uint64_t>(done), [&] {
        return text("  step ", done, " of ", options_.steps,
                    support::format("   loss %.4f", outcome_.last_loss));
      });
    }
    (void)with_those_of_worker1({}, "done");
    leave();
    return outcome_;
  }

 private:
  /// A pass whose activations were sent.
  struct Pass {
    std::int64_t context_id;
    at::Tensor labels;
    Reply outputs;
  };

  /// These tensors, and behind them those that worker 1 answers a call with.
  std::vector<at::Tensor> with_those_of_worker1(std::vector<at::Tensor> tensors,
                                                std::string_view name) {
    const Message answer = link_.wait(link_.send(rpc::MessageType::SCRIPT_CALL, {}, {}, name));
    (void)open_from_other(*answer);
    tensors.insert(tensors.end(), answer->tensors().begin(), answer->tensors().end());
    return tensors;
  }

  double train(Reference& reference) {
    const at::Tensor rows =
        torch::randperm(flowers_.labels.size(0)).slice(0, 0, options_.in_flight * pass_size_);
    std::vector<Pass> passes;
    for (const at::Tensor& part : rows.split(pass_size_)) passes.push_back(start_pass(part));

    double loss = 0;
    std::vector<Reply> ends;
    const at::Tensor order = torch::randperm(options_.in_flight);
    for (std::int64_t i = 0; i < options_.in_flight; ++i) {
      const auto number = static_cast<std::size_t>(order[i].item<std::int64_t>());
      ends.push_back(finish_pass(passes[number], loss));
    }
    for (const Reply& end : ends) (void)open_from_other(*link_.wait(end));
    outcome_.passes += options_.in_flight;

    std::vector<at::Tensor> gradients = contexts_.take_gradients();
    step(optimizer_, gradients);
    gradients = with_those_of_worker1(std::move(gradients), "step");
    outcome_.gradient_difference =
        std::max(outcome_.gradient_difference, reference.step(flowers_.pick(rows), gradients));
    return loss;
  }

  // The local graph ends in what is sent. Its gradient will come with the same two ids.
  Pass start_pass(const at::Tensor& rows) {
    Tensors flowers = flowers_.pick(rows);
    const PairId pair{new_id(), new_id()};
    at::Tensor activations = torch::tanh(layer_->forward(flowers.features));
    contexts_.add(pair, {.output = activations});
    gradtail::AutogradMetadata metadata = pair.metadata();
    metadata.wrapped_message_type = rpc::MessageType::SCRIPT_CALL;
    Reply outputs = link_.send(rpc::MessageType::FORWARD_AUTOGRAD_REQ, metadata,
                               {activations.detach()}, "output_layer");
    return {pair.context_id, std::move(flowers.labels), std::move(outputs)};
  }

  // A second graph begins at worker 1's outputs. The answer has a message id of worker 1's, and
  // that is where the gradient of the outputs belongs.
  Reply finish_pass(const Pass& pass, double& loss) {
    const Message answer = link_.wait(pass.outputs);
    const PairId pair = pair_of(open_from_other(*answer).metadata());
    if (pair.context_id != pass.context_id) throw std::runtime_error("an answer to another pass");
    const at::Tensor outputs =
        matrix_of(*answer, class_count, pass_size_).detach().requires_grad_();
    const at::Tensor part =
        loss_of(outputs, pass.labels) / static_cast<double>(pass_size_ * options_.in_flight);
    loss += part.item<double>();
    return link_.send(rpc::MessageType::BACKWARD_AUTOGRAD_REQ, pair.metadata(),
                      torch::autograd::grad({part}, {outputs}));
  }

  Tensors flowers_;
  Options options_;
  std::int64_t pass_size_;
  Outcome outcome_;
};

}  // namespace torch_two_workers
