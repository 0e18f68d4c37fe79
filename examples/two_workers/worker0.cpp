// SPDX-License-Identifier: Apache-2.0
// Several passes in flight, whose gradients come back in any order and find their pass by its ids.
#include "worker0.hpp"

#include <algorithm>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "random.hpp"

namespace two_workers {

namespace {

std::int64_t next_id(gradtail::IdGenerator& ids) {
  const gradtail::Result<std::int64_t> id = ids.next();
  if (!id) throw std::runtime_error(gradtail::to_string(id.error()));
  return *id;
}

Matrix activations_of(const Layer& layer, const Flowers& flowers) {
  Matrix activations = layer.forward(flowers.features);
  apply_tanh(activations);
  return activations;
}

Channel::Payload payload_of(const Matrix& activations, const Flowers& flowers) {
  return {std::as_bytes(std::span(activations.values)), std::as_bytes(std::span(flowers.labels))};
}

}  // namespace

Worker0::Worker0(Channel channel, Flowers flowers, const Options& options)
    : channel_(std::move(channel)),
      flowers_(std::move(flowers)),
      step_count_(options.epochs),
      pass_count_(options.in_flight),
      layer_(make_hidden_layer(options.seed)),
      reference_(options.seed),
      random_(make_random(options.seed, Draw::flowers)),
      order_(flowers_.labels.size()),
      progress_(options.epochs) {
  if (order_.size() < pass_count_) {
    throw std::runtime_error("the data have only " + std::to_string(order_.size()) +
                             " rows, fewer than --in-flight " + std::to_string(pass_count_));
  }
  std::iota(order_.begin(), order_.end(), std::size_t{0});
}

Outcome Worker0::run() {
  while (outcome_.steps < step_count_) step();
  outcome_.accuracy = evaluate();
  channel_.send(MessageType::done);
  // Worker 1 may still ask for that one again. It hangs up when it has it.
  if (channel_.receive_or_end()) throw std::runtime_error("worker 1 went on after the end");
  outcome_.traffic = channel_.traffic();
  return outcome_;
}

void Worker0::step() {
  std::ranges::shuffle(order_, random_);
  const std::size_t per_pass = order_.size() / pass_count_;
  const std::span<const std::size_t> drawn = std::span(order_).first(pass_count_ * per_pass);
  for (std::size_t i = 0; i < drawn.size(); i += per_pass) start_pass(drawn.subspan(i, per_pass));

  gradient_.assign(layer_.parameter_count(), 0.0);
  const Report report = receive_answers();
  compare(report.gradient, drawn);
  layer_.step(gradient_);

  const auto rows = static_cast<double>(drawn.size());
  progress_.show(++outcome_.steps, report.loss / rows, report.correct / rows);
}

// One distributed autograd pass, and in it one pair of send and receive functions.
void Worker0::start_pass(std::span<const std::size_t> numbers) {
  const PassId id{next_id(ids_), next_id(ids_)};
  Flowers flowers = pick(flowers_, numbers);
  Matrix activations = activations_of(layer_, flowers);
  Pass& pass = passes_.insert({id, {std::move(flowers), std::move(activations)}}).first->second;
  channel_.send(MessageType::activations, id, payload_of(pass.activations, pass.flowers));
}

// A message that had to be sent again comes later than those that were sent after it.
Worker0::Report Worker0::receive_answers() {
  std::optional<Report> report;
  for (std::size_t answer_count = 0; answer_count < pass_count_ || !report;) {
    const Message message = channel_.receive();
    if (message.type() == MessageType::gradients) {
      finish_pass(message);
      ++answer_count;
    } else {
      report = read_report(message, class_count * (hidden_count + 1));
    }
  }
  channel_.forget_sent();  // worker 1 has answered all of it
  passes_.clear();
  return *std::move(report);
}

// The ids say which pass the gradients belong to; nothing else does.
void Worker0::finish_pass(const Message& answer) {
  const auto found = passes_.find(answer.pass());
  if (found == passes_.end()) {
    throw std::runtime_error("gradients for a pass that is not in flight: " + answer.describe());
  }
  Pass& pass = found->second;
  if (std::exchange(pass.answered, true)) {
    throw std::runtime_error("gradients came twice for one pass: " + answer.describe());
  }
  const MatrixView activations = pass.activations;
  const std::span<const double> values = answer.values();
  if (values.size() != activations.values.size()) {
    throw std::runtime_error("gradients for " + std::to_string(activations.values.size()) +
                             " activations have another size: " + answer.describe());
  }
  const MatrixView received{activations.rows, activations.columns, values};
  layer_.add_gradient(pass.flowers.features, tanh_gradient(received, activations), gradient_);
}

Worker0::Report Worker0::read_report(const Message& message, std::size_t gradient_size) {
  if (message.type() != MessageType::report) {
    throw std::runtime_error("worker 1 sent what it must not: " + message.describe());
  }
  const std::span<const double> values = message.values();
  if (values.size() != 2 + gradient_size) {
    throw std::runtime_error("a report has not " + std::to_string(2 + gradient_size) +
                             " numbers: " + message.describe());
  }
  return {values[0], values[1], Gradient(values.begin() + 2, values.end())};
}

void Worker0::compare(const Gradient& output_gradient, std::span<const std::size_t> numbers) {
  const StepGradients expected = reference_.step(pick(flowers_, numbers));
  outcome_.gradient_difference =
      std::max({outcome_.gradient_difference, largest_difference(gradient_, expected.hidden),
                largest_difference(output_gradient, expected.output)});
}

double Worker0::evaluate() {
  const Matrix activations = activations_of(layer_, flowers_);
  channel_.send(MessageType::evaluation, payload_of(activations, flowers_));
  const Report report = read_report(channel_.receive(), 0);
  channel_.forget_sent();
  return report.correct / static_cast<double>(flowers_.labels.size());
}

}  // namespace two_workers
