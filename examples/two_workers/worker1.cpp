// SPDX-License-Identifier: Apache-2.0
// Holds all passes of a step, then answers them in a random order.
#include "worker1.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "random.hpp"

namespace two_workers {

namespace {

/// A payload of activations, in place in the receive buffer.
struct Activations {
  MatrixView matrix;
  std::span<const double> labels;
};

// Shapes and labels come from outside: they are checked before they index anything.
Activations activations_in(const Message& message) {
  const std::span<const double> values = message.values();
  const std::size_t rows = values.size() / (hidden_count + 1);
  if (rows == 0 || values.size() != rows * (hidden_count + 1)) {
    throw std::runtime_error(std::to_string(values.size()) + " numbers are not rows of " +
                             std::to_string(hidden_count) +
                             " activations and a label: " + message.describe());
  }
  const std::span<const double> labels = values.subspan(rows * hidden_count);
  const auto is_class = [](double label) { return label == 0 || label == 1 || label == 2; };
  if (!std::ranges::all_of(labels, is_class)) {
    throw std::runtime_error("a label is no class: " + message.describe());
  }
  return {{rows, hidden_count, values.first(rows * hidden_count)}, labels};
}

}  // namespace

Worker1::Worker1(Channel channel, std::uint64_t seed, std::size_t pass_count)
    : channel_(std::move(channel)),
      pass_count_(pass_count),
      layer_(make_output_layer(seed)),
      random_(make_random(seed, Draw::answers)) {}

void Worker1::run() {
  for (;;) {
    Message message = channel_.receive();
    switch (message.type()) {
      case MessageType::activations:
        hold(std::move(message));
        break;
      case MessageType::evaluation:
        evaluate(message);
        break;
      case MessageType::done:
        return;
      default:
        throw std::runtime_error("worker 0 sent what it must not: " + message.describe());
    }
  }
}

void Worker1::hold(Message message) {
  const PassId pass = message.pass();
  if (pass.context_id < 0 || pass.message_id < 0) {
    throw std::runtime_error("activations without ids can't be answered: " + message.describe());
  }
  if (std::ranges::find(held_, pass, &Message::pass) != held_.end()) {
    throw std::runtime_error("activations came twice: " + message.describe());
  }
  held_.push_back(std::move(message));
  if (held_.size() == pass_count_) step();
}

// Worker 0 has sent a whole step only because it had all answers to the one before: what was kept
// for sending again can go.
void Worker1::step() {
  channel_.forget_sent();
  answers_.clear();
  answers_.reserve(pass_count_);
  std::ranges::shuffle(held_, random_);

  std::size_t row_count = 0;
  for (const Message& message : held_) row_count += activations_in(message).labels.size();
  const double scale = 1.0 / static_cast<double>(row_count);

  Gradient gradient(layer_.parameter_count());
  double loss_sum = 0;
  std::size_t correct = 0;
  for (const Message& message : held_) {
    const Activations activations = activations_in(message);
    const Loss loss = cross_entropy(layer_.forward(activations.matrix), activations.labels, scale);
    layer_.add_gradient(activations.matrix, loss.gradient, gradient);
    answers_.push_back(layer_.input_gradient(loss.gradient));
    channel_.send(MessageType::gradients, message.pass(),
                  {std::as_bytes(std::span(answers_.back().values))});
    loss_sum += loss.sum;
    correct += loss.correct;
  }
  held_.clear();
  layer_.step(gradient);
  send_report(loss_sum, correct, gradient);
}

void Worker1::evaluate(const Message& message) {
  channel_.forget_sent();
  const Activations activations = activations_in(message);
  const Loss loss = cross_entropy(layer_.forward(activations.matrix), activations.labels, 1.0);
  send_report(loss.sum, loss.correct, {});
}

void Worker1::send_report(double loss, std::size_t correct, const Gradient& gradient) {
  report_ = {loss, static_cast<double>(correct)};
  report_.insert(report_.end(), gradient.begin(), gradient.end());
  channel_.send(MessageType::report, {std::as_bytes(std::span(report_))});
}

}  // namespace two_workers
