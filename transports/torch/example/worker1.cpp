// SPDX-License-Identifier: Apache-2.0
// Answers calls: its layer's outputs for activations, its gradients for a step.
#include "worker1.hpp"

#include <stdexcept>
#include <string>
#include <utility>

namespace torch_two_workers {

Worker1::Worker1(c10::intrusive_ptr<c10d::TCPStore> store)
    : Worker(1, torch::nn::Linear(hidden_count, class_count), std::move(store)),
      optimizer_(make_optimizer(layer_->parameters())) {}

void Worker1::run() {
  meet();
  std::unique_lock lock(mutex_);
  while (!done_) {
    const std::uint64_t before = call_count_;
    called_.wait_for(lock, patience, [&] { return call_count_ != before; });
    if (call_count_ == before) {
      throw std::runtime_error("worker 0 sent nothing for " + std::to_string(patience.count()) +
                               " s");
    }
  }
  lock.unlock();
  leave();
}

Reply Worker1::call(const rpc::Message& request, const gradtail::MessageView& view) {
  const std::string_view name = text_of(view);
  Reply reply = new_reply();
  if (request.type() == rpc::MessageType::FORWARD_AUTOGRAD_REQ && name == "output_layer") {
    complete(reply, forward(request, pair_of(view.metadata())));
  } else if (name == "parameters") {
    std::vector<at::Tensor> parameters = layer_->parameters();
    for (at::Tensor& parameter : parameters) parameter = parameter.detach().clone();
    complete(reply, answer(rpc::MessageType::SCRIPT_RET, {}, std::move(parameters)));
  } else if (name == "step") {
    complete(reply, step_all());
  } else if (name == "done") {
    complete(reply, answer(rpc::MessageType::SCRIPT_RET, {}));
  } else {
    return Worker::call(request, view);
  }
  const std::lock_guard lock(mutex_);
  ++call_count_;
  if (name == "done") done_ = true;
  called_.notify_all();
  return reply;
}

// What was received is a recv function's output, and what is answered a send function's input: the
// local graph lies between the two.
Message Worker1::forward(const rpc::Message& request, const PairId& pair) {
  at::Tensor activations = matrix_of(request, hidden_count).detach().requires_grad_();
  at::Tensor outputs = layer_->forward(activations);
  const PairId answered{pair.context_id, new_id()};
  contexts_.add(answered, {.output = outputs, .input = activations, .input_pair = pair});
  return answer(rpc::MessageType::FORWARD_AUTOGRAD_RESP, answered, {outputs.detach()});
}

Message Worker1::step_all() {
  std::vector<at::Tensor> gradients = contexts_.take_gradients();
  step(optimizer_, gradients);
  return answer(rpc::MessageType::SCRIPT_RET, {}, std::move(gradients));
}

}  // namespace torch_two_workers
