// SPDX-License-Identifier: Apache-2.0
// Worker 1, the output layer: answers activations with outputs, and a step with its gradients.
#pragma once

#include "worker.hpp"

namespace torch_two_workers {

class Worker1 : public Worker {
 public:
  explicit Worker1(Store store)
      : Worker(1, torch::nn::Linear(hidden_count, support::class_count), std::move(store)) {}

  /// Answers worker 0 until that says that it is done. Throws std::runtime_error if it hangs.
  void run() {
    meet();
    std::unique_lock lock(mutex_);
    while (!is_done_) {
      const std::uint64_t before = call_count_;
      if (called_.wait_for(lock, patience, [&] { return call_count_ != before; })) continue;
      throw std::runtime_error(text("worker 0 sent nothing for ", patience.count(), " s"));
    }
    lock.unlock();
    leave();
  }

 private:
  Reply call(const rpc::Message& request, const gradtail::MessageView& view) override {
    const std::string_view name = body_of(view);
    Reply reply = new_reply();
    if (request.type() == rpc::MessageType::FORWARD_AUTOGRAD_REQ && name == "output_layer") {
      complete(reply, forward(request, pair_of(view.metadata())));
    } else if (name == "parameters") {
      std::vector<at::Tensor> parameters = layer_->parameters();
      for (at::Tensor& parameter : parameters) parameter = parameter.detach().clone();
      complete(reply, answer(rpc::MessageType::SCRIPT_RET, {}, std::move(parameters)));
    } else if (name == "step") {
      std::vector<at::Tensor> gradients = contexts_.take_gradients();
      step(optimizer_, gradients);
      complete(reply, answer(rpc::MessageType::SCRIPT_RET, {}, std::move(gradients)));
    } else if (name == "done") {
      complete(reply, answer(rpc::MessageType::SCRIPT_RET, {}));
    } else {
      return Worker::call(request, view);
    }
    const std::lock_guard lock(mutex_);
    ++call_count_;
    if (name == "done") is_done_ = true;
    called_.notify_all();
    return reply;
  }

  // What was received is a recv function's output, and what is answered a send function's input:
  // the local graph is between the two.
  Message forward(const rpc::Message& request, const PairId& pair) {
    at::Tensor activations = matrix_of(request, hidden_count).detach().requires_grad_();
    at::Tensor outputs = layer_->forward(activations);
    const PairId answered{pair.context_id, new_id()};
    contexts_.add(answered, {.output = outputs, .input = activations, .input_pair = pair});
    return answer(rpc::MessageType::FORWARD_AUTOGRAD_RESP, answered, {outputs.detach()});
  }

  std::mutex mutex_;
  std::condition_variable called_;
  std::uint64_t call_count_ = 0;
  bool is_done_ = false;
};

}  // namespace torch_two_workers
