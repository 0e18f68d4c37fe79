// SPDX-License-Identifier: Apache-2.0
// Starts all passes of a step, then takes them up again in another order.
#include "worker0.hpp"

#include <torch/csrc/autograd/autograd.h>
#include <torch/torch.h>

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>

namespace torch_two_workers {

Worker0::Worker0(c10::intrusive_ptr<c10d::TCPStore> store, Flowers flowers, const Options& options)
    : Worker(0, torch::nn::Linear(feature_count, hidden_count), std::move(store)),
      flowers_(std::move(flowers)),
      options_(options),
      pass_size_(flowers_.labels.size(0) / options.in_flight),
      optimizer_(make_optimizer(layer_->parameters())) {}

Outcome Worker0::run() {
  meet();
  Reference reference(layer_->parameters(), call_worker1("parameters"));
  for (std::int64_t done = 1; done <= options_.steps; ++done) {
    outcome_.last_loss = train(reference);
    if (done == 1) outcome_.first_loss = outcome_.last_loss;
    if (done == 1 || done * 10 / options_.steps != (done - 1) * 10 / options_.steps) {
      std::printf("  step %lld of %lld   loss %.4f\n", static_cast<long long>(done),
                  static_cast<long long>(options_.steps), outcome_.last_loss);
      std::fflush(stdout);
    }
  }
  outcome_.steps = options_.steps;
  (void)call_worker1("done");
  leave();
  return outcome_;
}

std::vector<at::Tensor> Worker0::call_worker1(std::string_view name) {
  const Message answer = link_.wait(link_.send(rpc::MessageType::SCRIPT_CALL, {}, {}, name));
  (void)open_from_other(*answer);
  return answer->tensors();
}

double Worker0::train(Reference& reference) {
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
  const std::vector<at::Tensor> of_worker1 = call_worker1("step");
  gradients.insert(gradients.end(), of_worker1.begin(), of_worker1.end());
  const std::vector<at::Tensor> expected = reference.step(flowers_.pick(rows));
  outcome_.gradient_difference =
      std::max(outcome_.gradient_difference, largest_difference(gradients, expected));
  return loss;
}

// The local graph ends in what is sent. Its gradient will come with the same two ids.
Worker0::Pass Worker0::start_pass(const at::Tensor& rows) {
  Flowers flowers = flowers_.pick(rows);
  const PairId pair{new_id(), new_id()};
  at::Tensor activations = torch::tanh(layer_->forward(flowers.features));
  contexts_.add(pair, {.output = activations});
  Reply outputs = link_.send(rpc::MessageType::FORWARD_AUTOGRAD_REQ,
                             {.context_id = pair.context_id,
                              .message_id = pair.message_id,
                              .wrapped_message_type = rpc::MessageType::SCRIPT_CALL},
                             {activations.detach()}, "output_layer");
  return {pair.context_id, std::move(flowers.labels), std::move(outputs)};
}

// A second graph begins at worker 1's outputs. The answer has a message id of worker 1's, and that
// is where the gradient of the outputs belongs.
Reply Worker0::finish_pass(const Pass& pass, double& loss) {
  const Message answer = link_.wait(pass.outputs);
  const PairId pair = pair_of(open_from_other(*answer).metadata());
  if (pair.context_id != pass.context_id) throw std::runtime_error("an answer to another pass");
  const at::Tensor outputs = matrix_of(*answer, class_count).detach().requires_grad_();
  if (outputs.size(0) != pass_size_) throw std::runtime_error("an answer of other rows");
  const auto row_count = static_cast<double>(pass_size_ * options_.in_flight);
  const at::Tensor part = loss_of(outputs, pass.labels) / row_count;
  loss += part.item<double>();
  return link_.send(rpc::MessageType::BACKWARD_AUTOGRAD_REQ,
                    {.context_id = pair.context_id, .message_id = pair.message_id},
                    torch::autograd::grad({part}, {outputs}));
}

}  // namespace torch_two_workers
