// SPDX-License-Identifier: Apache-2.0
// Holds all passes of a step, then answers them in a random order.
#pragma once

#include <algorithm>
#include <random>

#include "channel.hpp"
#include "model.hpp"

namespace two_workers {

/// A payload of activations, in place in the receive buffer.
struct Activations {
  Eigen::Map<const Matrix> matrix;
  Eigen::Map<const Eigen::VectorXd> labels;
};

// Shapes and labels come from outside: they are checked before they index anything.
inline Activations activations_in(const Message& message) {
  const std::span<const double> values = message.values();
  const auto rows = static_cast<Eigen::Index>(values.size() / (hidden_count + 1));
  if (rows == 0 || values.size() % (hidden_count + 1) != 0) {
    throw message.problem(
        text(values.size(), " numbers are not rows of ", hidden_count, " activations and a label"));
  }
  const double* labels = values.data() + rows * hidden_count;
  const auto is_class = [](double label) { return label == 0 || label == 1 || label == 2; };
  if (!std::all_of(labels, labels + rows, is_class)) throw message.problem("a label is no class");
  return {{values.data(), rows, hidden_count}, {labels, rows}};
}

/// Worker 1: the output layer and the loss.
class Worker1 {
 public:
  Worker1(int descriptor, const Options& options)
      : channel_(descriptor, 1, options),
        pass_count_(options.in_flight),
        swap_ids_(options.swap_ids),
        layer_(make_output_layer(options.seed)),
        random_(make_random(options.seed, Draw::answers)) {}

  /// Answers worker 0 until that says that it is done. Throws std::runtime_error if worker 0 is
  /// gone, hangs or breaks the protocol.
  void run() {
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
          throw message.problem("worker 0 sent what it must not");
      }
    }
  }

 private:
  void hold(Message message) {
    const PassId pass = message.pass();
    if (pass.context_id < 0 || pass.message_id < 0) {
      throw message.problem("activations without ids can't be answered");
    }
    if (std::ranges::find(held_, pass, &Message::pass) != held_.end()) {
      throw message.problem("activations came twice");
    }
    held_.push_back(std::move(message));
    if (held_.size() == pass_count_) step();
  }

  // Worker 0 has sent a whole step only because it had all answers to the one before: what was kept
  // for sending again can go.
  void step() {
    channel_.forget_sent();
    answers_.clear();
    answers_.reserve(pass_count_);
    std::ranges::shuffle(held_, random_);
    std::vector<PassId> passes;
    for (const Message& message : held_) passes.push_back(message.pass());
    if (std::exchange(swap_ids_, false)) std::swap(passes[0], passes[1]);  // --fault swap

    Eigen::Index row_count = 0;
    for (const Message& message : held_) row_count += activations_in(message).labels.size();
    const double scale = 1.0 / static_cast<double>(row_count);

    Matrix gradient = layer_.zero_gradient();
    double loss_sum = 0;
    int correct = 0;
    for (std::size_t i = 0; i < held_.size(); ++i) {
      const Activations activations = activations_in(held_[i]);
      const Loss loss =
          cross_entropy(layer_.forward(activations.matrix), activations.labels, scale);
      gradient += layer_.gradient(activations.matrix, loss.gradient);
      const Matrix& answer = answers_.emplace_back(layer_.input_gradient(loss.gradient));
      channel_.send(MessageType::gradients, {bytes_of(answer)}, passes[i]);
      loss_sum += loss.sum;
      correct += loss.correct;
    }
    held_.clear();
    layer_.step(gradient);
    send_report(loss_sum, correct, gradient);
  }

  void evaluate(const Message& message) {
    channel_.forget_sent();
    const Activations activations = activations_in(message);
    const Loss loss = cross_entropy(layer_.forward(activations.matrix), activations.labels, 1.0);
    send_report(loss.sum, loss.correct, {});
  }

  void send_report(double loss, int correct, const Matrix& gradient) {
    report_ = {loss, static_cast<double>(correct)};
    report_.insert(report_.end(), gradient.data(), gradient.data() + gradient.size());
    channel_.send(MessageType::report, {std::as_bytes(std::span(report_))});
  }

  Channel channel_;
  std::size_t pass_count_;
  bool swap_ids_;
  Layer layer_;
  std::mt19937_64 random_;
  std::vector<Message> held_;  // the step's activations, in the buffers they were received in

  // Payloads that worker 0 may ask for again, until its next messages show that it has them.
  std::vector<Matrix> answers_;
  std::vector<double> report_;
};

}  // namespace two_workers
