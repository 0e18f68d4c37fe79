// SPDX-License-Identifier: Apache-2.0
// Several passes in flight, whose gradients come back in any order and find their pass by its ids.
#pragma once

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>
#include <stdexcept>

#include "channel.hpp"
#include "model.hpp"

namespace two_workers {

/// Copies of the flowers with these numbers, in this order.
inline Flowers pick(const Flowers& flowers, std::span<const int> rows) {
  const Eigen::Map<const Eigen::ArrayXi> indices(rows.data(),
                                                 static_cast<Eigen::Index>(rows.size()));
  return {flowers.features(indices, Eigen::all), flowers.labels(indices)};
}

/// How a training went.
struct Outcome {
  std::uint64_t steps = 0;
  double accuracy = 0;             ///< of the trained model on all data, 0..1
  double gradient_difference = 0;  ///< largest absolute one of all steps and both layers
  Traffic traffic = {};            ///< as worker 0 saw it, which is all of it
};

/// The largest absolute difference between two gradients of one layer; infinity for NaN.
inline double largest_difference(const Matrix& a, const Matrix& b) {
  const double largest = (a - b).cwiseAbs().maxCoeff<Eigen::PropagateNaN>();
  return std::isnan(largest) ? std::numeric_limits<double>::infinity() : largest;
}

/// The same classifier in one process, without any message: what the distributed one must equal.
class Reference {
 public:
  explicit Reference(std::uint64_t seed)
      : hidden_layer_(make_hidden_layer(seed)), output_layer_(make_output_layer(seed)) {}

  /// One step on the mean loss of these flowers. Returns how far its gradients are from the given
  /// ones.
  double step(const Flowers& flowers, const Matrix& hidden_gradient,
              const Matrix& output_gradient) {
    const Matrix hidden = activations_of(hidden_layer_, flowers.features);
    const Loss loss = cross_entropy(output_layer_.forward(hidden), flowers.labels,
                                    1.0 / static_cast<double>(flowers.labels.size()));
    const Matrix of_output = output_layer_.gradient(hidden, loss.gradient);
    const Matrix of_hidden = hidden_layer_.gradient(
        flowers.features, tanh_gradient(output_layer_.input_gradient(loss.gradient), hidden));
    hidden_layer_.step(of_hidden);
    output_layer_.step(of_output);
    return std::max(largest_difference(of_hidden, hidden_gradient),
                    largest_difference(of_output, output_gradient));
  }

 private:
  Layer hidden_layer_;
  Layer output_layer_;
};

/// Worker 0: the data, the hidden layer and the training loop.
class Worker0 {
 public:
  /// Takes its end of a connection. There are at least as many flowers as passes in flight.
  Worker0(int descriptor, Flowers flowers, const Options& options)
      : channel_(descriptor, 0, options),
        flowers_(std::move(flowers)),
        options_(options),
        layer_(make_hidden_layer(options.seed)),
        reference_(options.seed),
        random_(make_random(options.seed, Draw::flowers)),
        order_(static_cast<std::size_t>(flowers_.labels.size())),
        progress_(options.epochs) {
    std::iota(order_.begin(), order_.end(), 0);
  }

  /// Trains, then has the trained model judged on all data. Throws std::runtime_error if worker 1
  /// is gone, hangs or breaks the protocol.
  Outcome run() {
    while (outcome_.steps < options_.epochs) step();
    outcome_.accuracy = evaluate();
    channel_.send(MessageType::done);
    // Worker 1 may still ask for that one again. It hangs up when it has it.
    if (channel_.receive_or_end()) throw std::runtime_error("worker 1 went on after the end");
    outcome_.traffic = channel_.traffic();
    return outcome_;
  }

 private:
  /// A pass between its forward and its backward half.
  struct Pass {
    Flowers flowers;
    Matrix activations;
    bool is_answered = false;
  };

  /// What worker 1 says of a whole step.
  struct Report {
    double loss;
    double correct;
    Matrix gradient;
  };

  void step() {
    std::ranges::shuffle(order_, random_);
    const std::size_t per_pass = order_.size() / options_.in_flight;
    const auto drawn = std::span(order_).first(options_.in_flight * per_pass);
    for (std::size_t i = 0; i < drawn.size(); i += per_pass) start_pass(drawn.subspan(i, per_pass));

    gradient_ = layer_.zero_gradient();
    const Report report = receive_answers();
    outcome_.gradient_difference =
        std::max(outcome_.gradient_difference,
                 reference_.step(pick(flowers_, drawn), gradient_, report.gradient));
    layer_.step(gradient_);

    const auto rows = static_cast<double>(drawn.size());
    progress_.show(++outcome_.steps, [&] {
      return text("  epoch ", outcome_.steps, " of ", options_.epochs,
                  format("   loss %.4f", report.loss / rows),
                  format("   accuracy %5.1f %%", report.correct / rows * 100));
    });
  }

  // One distributed autograd pass, and in it one pair of send and recv functions.
  void start_pass(std::span<const int> rows) {
    const PassId id{ids_.next().value(), ids_.next().value()};
    Flowers flowers = pick(flowers_, rows);
    Matrix activations = activations_of(layer_, flowers.features);
    const Pass& pass =
        passes_.insert({id, {std::move(flowers), std::move(activations)}}).first->second;
    channel_.send(MessageType::activations,
                  {bytes_of(pass.activations), bytes_of(pass.flowers.labels)}, id);
  }

  // A message that had to be sent again comes later than those that were sent after it.
  Report receive_answers() {
    std::optional<Report> report;
    for (std::size_t answers = 0; answers < options_.in_flight || !report;) {
      const Message message = channel_.receive();
      if (message.type() == MessageType::gradients) {
        finish_pass(message);
        ++answers;
      } else {
        report = read_report(message, make_output_layer(0).zero_gradient());
      }
    }
    channel_.forget_sent();  // worker 1 has answered all of it
    passes_.clear();
    return *std::move(report);
  }

  // The ids say which pass the gradients belong to; nothing else does.
  void finish_pass(const Message& answer) {
    const auto found = passes_.find(answer.pass());
    if (found == passes_.end()) throw answer.problem("gradients for a pass that is not in flight");
    Pass& pass = found->second;
    if (std::exchange(pass.is_answered, true)) throw answer.problem("gradients came twice");
    const std::span<const double> values = answer.values();
    if (values.size() != static_cast<std::size_t>(pass.activations.size())) {
      throw answer.problem(text("gradients are not ", pass.activations.size(), " numbers"));
    }
    const Eigen::Map<const Matrix> received(values.data(), pass.activations.rows(), hidden_count);
    gradient_ += layer_.gradient(pass.flowers.features, tanh_gradient(received, pass.activations));
  }

  static Report read_report(const Message& message, Matrix gradient) {
    if (message.type() != MessageType::report) {
      throw message.problem("worker 1 sent what it must not");
    }
    const std::span<const double> values = message.values();
    if (values.size() != 2 + static_cast<std::size_t>(gradient.size())) {
      throw message.problem(text("a report is not ", 2 + gradient.size(), " numbers"));
    }
    std::ranges::copy(values.subspan(2), gradient.data());
    return {values[0], values[1], std::move(gradient)};
  }

  double evaluate() {
    const Matrix activations = activations_of(layer_, flowers_.features);
    channel_.send(MessageType::evaluation, {bytes_of(activations), bytes_of(flowers_.labels)});
    const Report report = read_report(channel_.receive(), {});
    channel_.forget_sent();
    return report.correct / static_cast<double>(flowers_.labels.size());
  }

  Channel channel_;
  Flowers flowers_;
  const Options& options_;
  Layer layer_;
  Reference reference_;
  gradtail::IdGenerator ids_{0};
  std::mt19937_64 random_;
  std::vector<int> order_;
  Progress progress_;
  Outcome outcome_;

  // The step under way. Payloads are sent from here, and maybe again: they stay until worker 1 has
  // shown that it has them.
  std::map<PassId, Pass> passes_;
  Matrix gradient_;
};

}  // namespace two_workers
