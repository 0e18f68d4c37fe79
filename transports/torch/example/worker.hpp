// SPDX-License-Identifier: Apache-2.0
// What both workers have: a layer, the passes under way, and the receive handler. A trailer says
// which pair a gradient belongs to, libtorch's autograd does the local part, and what is left goes
// on to where the pass came from.
#pragma once

#include <torch/csrc/autograd/autograd.h>
#include <torch/nn/modules/linear.h>
#include <torch/optim/sgd.h>

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <vector>

#include "contexts.hpp"
#include "iris.hpp"
#include "link.hpp"

namespace torch_two_workers {

inline constexpr int hidden_count = 16;

inline torch::optim::SGD make_optimizer(std::vector<at::Tensor> parameters) {
  return torch::optim::SGD(std::move(parameters), torch::optim::SGDOptions(0.1).momentum(0.9));
}

/// One step of the optimizer with these gradients of its parameters.
inline void step(torch::optim::SGD& optimizer, const std::vector<at::Tensor>& gradients) {
  std::vector<at::Tensor>& parameters = optimizer.param_groups().front().params();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    parameters[i].mutable_grad() = gradients.at(i);
  }
  optimizer.step();
}

class Worker {
 public:
  /// Meets the other worker. Throws std::runtime_error if it doesn't come.
  Worker(int self, torch::nn::Linear layer, Store store)
      : layer_(std::move(layer)),
        optimizer_(make_optimizer(layer_->parameters())),
        self_(self),
        ids_(self),
        watch_(new_reply()),
        link_(self, std::move(store),
              [this](const rpc::Message& request) { return handle(request); }) {}

  virtual ~Worker() = default;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

 protected:
  /// Watches the other worker from now on, and waits until that one does. Throws
  /// std::runtime_error if it takes too long.
  void meet() {
    link_.watch();
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, patience, [this] { return is_watched_; })) {
      throw std::runtime_error("the other worker is there, but sends nothing");
    }
  }
  /// Answers the other worker's watch, then leaves with it.
  void leave() {
    complete(watch_, answer(rpc::MessageType::SCRIPT_RET, {}));
    link_.leave();
  }

  /// A new id, of a context or of a message that this worker sends.
  std::int64_t new_id() {
    const auto id = ids_.next();
    if (!id) throw std::runtime_error(to_string(id.error()));
    return *id;
  }
  /// The metadata of a message, or of its answer. Throws std::runtime_error unless it says that it
  /// is from the other worker.
  gradtail::MessageView open_from_other(const rpc::Message& message) const {
    const gradtail::MessageView view = open_message(message);
    if (gradtail::to_torch_worker(view.metadata().from_worker_id) == 1 - self_) return view;
    throw std::runtime_error(
        text("worker ", 1 - self_, " sent what is not from it: ", to_string(view.metadata())));
  }
  /// An answer, from this worker.
  Message answer(rpc::MessageType type, const PairId& pair,
                 std::vector<at::Tensor> tensors = {}) const {
    gradtail::AutogradMetadata metadata = pair.metadata();
    metadata.from_worker_id = self_;
    return make_message(type, metadata, std::move(tensors));
  }

  /// Answers a request that isn't about gradients. Throws std::runtime_error for one that the
  /// worker can't answer.
  virtual Reply call(const rpc::Message& request, const gradtail::MessageView& view) {
    throw std::runtime_error(text("a message of type ", int{request.type()}, " calls '",
                                  body_of(view), "', which isn't here"));
  }

  torch::nn::Linear layer_;
  torch::optim::SGD optimizer_;
  Contexts contexts_;

 private:
  Reply handle(const rpc::Message& request) {
    const gradtail::MessageView view = open_from_other(request);
    if (request.type() == rpc::MessageType::BACKWARD_AUTOGRAD_REQ) {
      return backward(request, pair_of(view.metadata()));
    }
    if (body_of(view) != "watch") return call(request, view);
    const std::lock_guard lock(mutex_);
    is_watched_ = true;
    changed_.notify_all();
    return watch_;
  }

  Reply backward(const rpc::Message& request, const PairId& pair) {
    const Sent sent = contexts_.take(pair);
    const at::Tensor gradient = matrix_of(request, sent.output.size(1), sent.output.size(0));
    std::vector<at::Tensor> inputs = layer_->parameters();
    if (sent.input.defined()) inputs.push_back(sent.input);
    std::vector<at::Tensor> gradients = torch::autograd::grad({sent.output}, inputs, {gradient});
    Reply reply = new_reply();
    const auto finish = [this, reply, pair] {
      complete(reply, answer(rpc::MessageType::BACKWARD_AUTOGRAD_RESP, pair));
    };
    if (!sent.input.defined()) {
      finish();
    } else {  // the answer waits until the rest of the pass is done
      const Reply rest = link_.send(rpc::MessageType::BACKWARD_AUTOGRAD_REQ,
                                    sent.input_pair.metadata(), {gradients.back()});
      rest->addCallback([reply, finish](rpc::JitFuture& done) {
        done.hasError() ? reply->setError(done.exception_ptr()) : finish();
      });
      gradients.pop_back();
    }
    contexts_.add_gradients(pair.context_id, std::move(gradients));
    return reply;
  }

  int self_;
  gradtail::IdGenerator ids_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_watched_ = false;
  Reply watch_;  // what this worker owes to the other one's watch

 protected:
  Link link_;  // the last member, as it calls the handler
};

/// The command line.
struct Options {
  int rank = -1;      ///< the worker to be; -1: both run on this machine
  bool both = false;  ///< whether the other worker is a process of this program
  support::Address master = {"127.0.0.1", 0};
  std::string interface = {};
  std::int64_t steps = 100;
  std::int64_t in_flight = 10;
  std::uint64_t seed = 1;
  std::filesystem::path data = IRIS_DATA;
};

}  // namespace torch_two_workers
