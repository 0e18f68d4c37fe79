// SPDX-License-Identifier: Apache-2.0
// The receive handler: a trailer says which pair a gradient belongs to, libtorch's autograd does
// the local part, and what is left goes on to where the pass came from.
#include "worker.hpp"

#include <torch/csrc/autograd/autograd.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>

namespace torch_two_workers {

torch::optim::SGD make_optimizer(std::vector<at::Tensor> parameters) {
  return torch::optim::SGD(std::move(parameters), torch::optim::SGDOptions(0.1).momentum(0.9));
}

void step(torch::optim::SGD& optimizer, const std::vector<at::Tensor>& gradients) {
  std::vector<at::Tensor>& parameters = optimizer.param_groups().front().params();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    parameters[i].mutable_grad() = gradients.at(i);
  }
  optimizer.step();
}

Worker::Worker(std::int16_t self, torch::nn::Linear layer, c10::intrusive_ptr<c10d::TCPStore> store)
    : layer_(std::move(layer)),
      self_(self),
      ids_(self),
      watch_(new_reply()),
      link_(self, std::move(store), [this](rpc::Message& request) { return handle(request); }) {}

// Only now may the other worker call: all of this one is there.
void Worker::meet() {
  link_.watch();
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, patience, [this] { return is_watched_; })) {
    throw std::runtime_error("the other worker is there, but sends nothing");
  }
}

void Worker::leave() {
  complete(watch_, answer(rpc::MessageType::SCRIPT_RET, {}));
  link_.leave();
}

std::int64_t Worker::new_id() {
  const auto id = ids_.next();
  if (!id) throw std::runtime_error(to_string(id.error()));
  return *id;
}

// Agents don't tell a handler who sent a message. Here there is only one who can have.
gradtail::MessageView Worker::open_from_other(const rpc::Message& message) const {
  const gradtail::MessageView view = open_message(message);
  if (gradtail::to_torch_worker(view.metadata().from_worker_id) != 1 - self_) {
    throw std::runtime_error("worker " + std::to_string(1 - self_) +
                             " sent what is not from it: " + to_string(view.metadata()));
  }
  return view;
}

Message Worker::answer(rpc::MessageType type, const PairId& pair,
                       std::vector<at::Tensor> tensors) const {
  return make_message(
      type, {.context_id = pair.context_id, .message_id = pair.message_id, .from_worker_id = self_},
      std::move(tensors));
}

Reply Worker::handle(const rpc::Message& request) {
  const gradtail::MessageView view = open_from_other(request);
  if (request.type() == rpc::MessageType::BACKWARD_AUTOGRAD_REQ) {
    return backward(request, pair_of(view.metadata()));
  }
  return text_of(view) == "watch" ? be_watched() : call(request, view);
}

Reply Worker::be_watched() {
  const std::lock_guard lock(mutex_);
  is_watched_ = true;
  changed_.notify_all();
  return watch_;
}

Reply Worker::call(const rpc::Message& request, const gradtail::MessageView& view) {
  throw std::runtime_error("a message of type " + std::to_string(request.type()) + " calls '" +
                           std::string(text_of(view)) + "', which isn't here");
}

Reply Worker::backward(const rpc::Message& request, const PairId& pair) {
  const Sent sent = contexts_.take(pair);
  const at::Tensor gradient = matrix_of(request, sent.output.size(1));
  if (gradient.size(0) != sent.output.size(0)) {
    throw std::runtime_error("a gradient has other rows than what it is of");
  }
  std::vector<at::Tensor> inputs = layer_->parameters();
  if (sent.input.defined()) inputs.push_back(sent.input);
  std::vector<at::Tensor> gradients = torch::autograd::grad({sent.output}, inputs, {gradient});
  Reply reply = new_reply();
  if (sent.input.defined()) {
    pass_back(sent.input_pair, std::move(gradients.back()), reply, pair);
    gradients.pop_back();
  } else {
    complete(reply, answer(rpc::MessageType::BACKWARD_AUTOGRAD_RESP, pair));
  }
  contexts_.add_gradients(pair.context_id, std::move(gradients));
  return reply;
}

// The answer waits until the rest of the pass is done.
void Worker::pass_back(const PairId& to, at::Tensor gradient, const Reply& reply,
                       const PairId& pair) {
  const Reply rest =
      link_.send(rpc::MessageType::BACKWARD_AUTOGRAD_REQ,
                 {.context_id = to.context_id, .message_id = to.message_id}, {std::move(gradient)});
  rest->addCallback([this, reply, pair](rpc::JitFuture& done) {
    if (done.hasError()) {
      reply->setError(done.exception_ptr());
    } else {
      complete(reply, answer(rpc::MessageType::BACKWARD_AUTOGRAD_RESP, pair));
    }
  });
}

}  // namespace torch_two_workers
