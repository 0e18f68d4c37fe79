// SPDX-License-Identifier: Apache-2.0
// Two processes train one model, joined by libtorch's RPC agents: worker 0 has the hidden layer and
// the loss, worker 1 the output layer. Copy make_message, open_message and the handler from here.
#include <torch/torch.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <gradtail/gradtail.hpp>
#include <gradtail/torch.hpp>
#include <map>
#include <mutex>
#include <stdexcept>

#include "agent.hpp"

namespace {

namespace rpc = torch::distributed::rpc;
using Message = c10::intrusive_ptr<rpc::Message>;
using Future = c10::intrusive_ptr<rpc::JitFuture>;
using rpc::MessageType;

constexpr std::int64_t pass_count = 10;  // of each step, all in flight at once
constexpr std::int64_t pass_size = 12;   // rows of each pass

/// A message without text: its payload is the trailer alone, the tensors travel next to it.
Message make_message(MessageType type, const gradtail::AutogradMetadata& metadata,
                     std::vector<at::Tensor> tensors) {
  auto message = c10::make_intrusive<rpc::Message>(std::vector<char>{}, std::move(tensors), type);
  const auto done = gradtail::append(*message, metadata);
  if (!done) throw std::runtime_error(to_string(done.error()));
  return message;
}

/// A view of the message, which must outlive it. Throws if there is no good trailer from this
/// worker.
gradtail::MessageView open_message(const rpc::Message& message, int from_worker) {
  const auto view = gradtail::open(message);
  if (!view) throw std::runtime_error(to_string(view.error()));
  if (gradtail::to_torch_worker(view->metadata().from_worker_id) == from_worker) return *view;
  throw std::runtime_error("another worker's message: " + to_string(view->metadata()));
}

struct Model {
  torch::nn::Linear hidden{4, 16};
  torch::nn::Linear output{16, 3};
};

/// The same one in both processes.
Model make_model() {
  torch::manual_seed(1);
  return {};
}

torch::optim::SGD make_optimizer(std::vector<at::Tensor> parameters) {
  return torch::optim::SGD(std::move(parameters), torch::optim::SGDOptions(0.1).momentum(0.9));
}

void step(torch::optim::SGD& optimizer) {
  optimizer.step();
  optimizer.zero_grad();
}

/// Worker 1's layer, with the passes that wait for their gradients.
class OutputLayer {
 public:
  Message answer(const rpc::Message& request) {
    const gradtail::MessageView view = open_message(request, 0);
    const gradtail::AutogradMetadata& metadata = view.metadata();
    const std::pair pass(metadata.context_id, metadata.message_id);
    gradtail::AutogradMetadata reply{
        .context_id = pass.first, .message_id = pass.second, .from_worker_id = 1};
    const std::lock_guard lock(mutex_);
    switch (request.type()) {
      case MessageType::FORWARD_AUTOGRAD_REQ: {
        const at::Tensor activations = request.tensors().at(0).detach().requires_grad_();
        const at::Tensor outputs = layer_->forward(activations);
        passes_[pass] = {activations, outputs};
        return make_message(MessageType::FORWARD_AUTOGRAD_RESP, reply, {outputs.detach()});
      }
      case MessageType::BACKWARD_AUTOGRAD_REQ: {
        const auto found = passes_.extract(pass);  // by the trailer's ids and by nothing else
        if (!found) throw std::runtime_error("no such pass: " + to_string(metadata));
        const auto& [activations, outputs] = found.mapped();
        outputs.backward(request.tensors().at(0));
        return make_message(MessageType::BACKWARD_AUTOGRAD_RESP, reply, {activations.grad()});
      }
      case MessageType::SCRIPT_CALL:
        step(optimizer_);
        return make_message(MessageType::SCRIPT_RET, reply, {});
      default:
        throw std::runtime_error("a message of another type");
    }
  }

 private:
  struct Pass {
    at::Tensor activations;
    at::Tensor outputs;
  };

  std::mutex mutex_;
  torch::nn::Linear layer_ = make_model().output;
  torch::optim::SGD optimizer_ = make_optimizer(layer_->parameters());
  std::map<std::pair<std::int64_t, std::int64_t>, Pass> passes_;  // by context and message id
};

/// The receive handler. What it throws, the agent sends to the caller. Worker 0 has no layer.
class Handler : public rpc::RequestCallback {
 public:
  explicit Handler(OutputLayer* layer) : layer_(layer) {}

 private:
  Future processMessage(rpc::Message& request, std::vector<c10::Stream>) const override {
    if (layer_ == nullptr) throw std::runtime_error("worker 0 takes no requests");
    Message answer = layer_->answer(request);
    auto storages = answer->getStorages();
    auto future = c10::make_intrusive<rpc::JitFuture>(at::AnyClassType::get());
    future->markCompleted(c10::IValue(std::move(answer)), std::move(storages));
    return future;
  }

  OutputLayer* layer_;
};

Future send(rpc::TensorPipeAgent& agent, MessageType type,
            const gradtail::AutogradMetadata& metadata, std::vector<at::Tensor> tensors) {
  return agent.send(agent.getWorkerInfo(rpc::worker_id_t{1}),
                    make_message(type, metadata, std::move(tensors)));
}

/// The answer's tensors. Throws what the other worker threw, or that it is gone.
std::vector<at::Tensor> wait(const Future& future) {
  future->waitAndThrow();
  const auto answer = future->value().toCustomClass<rpc::Message>();
  (void)open_message(*answer, 1);
  return answer->tensors();
}

at::Tensor loss_of(const at::Tensor& outputs, const at::Tensor& labels) {
  constexpr double rows = pass_count * pass_size;
  return torch::nll_loss(torch::log_softmax(outputs, 1), labels, {}, at::Reduction::Sum) / rows;
}

/// Worker 0's part of a step: starts all passes, then goes on with them in the opposite order.
/// Returns the loss.
double train(rpc::TensorPipeAgent& agent, torch::nn::Linear hidden, const at::Tensor& features,
             const at::Tensor& labels, gradtail::IdGenerator& ids) {
  struct Pass {
    gradtail::AutogradMetadata metadata;
    at::Tensor labels;
    at::Tensor activations;
    Future answer;
  };
  std::vector<Pass> passes;
  for (std::int64_t i = 0; i < pass_count; ++i) {
    const auto rows = [i](const at::Tensor& all) {
      return all.narrow(0, i * pass_size, pass_size);
    };
    Pass& pass = passes.emplace_back();
    pass.metadata = {.context_id = ids.next().value(),
                     .message_id = ids.next().value(),
                     .from_worker_id = 0,
                     .wrapped_message_type = MessageType::SCRIPT_CALL};
    pass.labels = rows(labels);
    pass.activations = torch::tanh(hidden->forward(rows(features)));
    pass.answer =
        send(agent, MessageType::FORWARD_AUTOGRAD_REQ, pass.metadata, {pass.activations.detach()});
  }
  double loss = 0;
  for (auto pass = passes.rbegin(); pass != passes.rend(); ++pass) {
    const at::Tensor outputs = wait(pass->answer).at(0).requires_grad_();
    const at::Tensor part = loss_of(outputs, pass->labels);
    part.backward();
    loss += part.item<double>();
    pass->answer =
        send(agent, MessageType::BACKWARD_AUTOGRAD_REQ, pass->metadata, {outputs.grad()});
  }
  for (const Pass& pass : passes) pass.activations.backward(wait(pass.answer).at(0));
  return loss;
}

/// Trains by messages and, next to it, in this process alone. Returns whether both gave the same
/// weights, and the loss fell.
bool train_both(rpc::TensorPipeAgent& agent, int steps) {
  torch::nn::Linear hidden = make_model().hidden;
  Model reference = make_model();
  const at::Tensor features = torch::randn({pass_count * pass_size, 4});
  const at::Tensor labels = features.matmul(torch::randn({4, 3})).argmax(1);
  torch::optim::SGD optimizer = make_optimizer(hidden->parameters());
  std::vector<at::Tensor> parameters = reference.hidden->parameters();
  for (const at::Tensor& one : reference.output->parameters()) parameters.push_back(one);
  torch::optim::SGD reference_optimizer = make_optimizer(parameters);

  gradtail::IdGenerator ids(0);
  double first = 0;
  double last = 0;
  for (int i = 0; i < steps; ++i) {
    last = train(agent, hidden, features, labels, ids);
    if (i == 0) first = last;
    step(optimizer);
    wait(send(agent, MessageType::SCRIPT_CALL, {.from_worker_id = 0}, {}));

    const at::Tensor activations = torch::tanh(reference.hidden->forward(features));
    loss_of(reference.output->forward(activations), labels).backward();
    step(reference_optimizer);
    if (i % 20 == 0) std::printf("step %d: loss %.4f\n", i, last);
    std::fflush(stdout);
  }
  const auto difference = (hidden->weight - reference.hidden->weight).abs().max().item<double>();
  const bool good = last < first && difference < 1e-5;  // false for NaN
  std::printf("%s: loss %.4f to %.4f, weights differ by %.2e from those of one process\n",
              good ? "PASS" : "FAIL", first, last, difference);
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  int rank = 0;
  int steps = 100;
  std::string host = "127.0.0.1";
  std::uint16_t port = 29500;
  std::string interface = "lo";
  CLI::App app("Two processes train one model, joined by libtorch's RPC agents.");
  app.add_option("--rank", rank, "the worker to be")->required()->check(CLI::Range(0, 1));
  app.add_option("--host", host, "worker 0's address")->capture_default_str();
  app.add_option("--port", port, "worker 0's port")->capture_default_str();
  app.add_option("--interface", interface, "the network interface that the other worker reaches")
      ->capture_default_str();
  app.add_option("--steps", steps, "steps of the optimizer")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  std::signal(SIGPIPE, SIG_IGN);  // a worker that is gone is an error to be reported
  try {
    // Not destroyed after an error: the agent's threads would wait for a worker that is gone.
    static OutputLayer layer;
    const torch_agent::Store store = torch_agent::make_store(rank, host, port);
    static const torch_agent::Agent agent = torch_agent::make_agent(
        rank, store, interface, std::make_unique<Handler>(rank == 1 ? &layer : nullptr));
    agent->start();
    const bool good = rank == 1 || train_both(*agent, steps);
    torch_agent::leave(rank, store, *agent);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "worker %d: %s\n", rank, error.what());
    std::quick_exit(EXIT_FAILURE);
  }
}
