// SPDX-License-Identifier: Apache-2.0
// Counters in the ids: a pass's is its number, that of its message r is pass * messages + r.
#include "work.hpp"

#include <algorithm>
#include <numeric>
#include <random>

#include "job.hpp"

namespace grpc_stream {

Requests::Requests(const Options& options) : options_(options), order_(options.passes) {
  std::iota(order_.begin(), order_.end(), 0U);
}

std::optional<grpc::ByteBuffer> Requests::next() {
  if (round_ == options_.messages) return std::nullopt;
  if (place_ == 0 && !pass_ends_) {
    std::mt19937_64 random(round_);
    std::shuffle(order_.begin(), order_.end(), random);
  }
  const std::uint64_t pass = order_[place_];
  const std::uint64_t number = pass * options_.messages + round_;
  gradtail::AutogradMetadata metadata{
      .context_id = gradtail::compose_id(options_.worker, pass).value(),
      .from_worker_id = options_.worker,
      .wrapped_message_type = static_cast<std::uint32_t>(Type::end_of_pass)};
  const bool is_end = pass_ends_;
  pass_ends_ = round_ + 1 == options_.messages && !is_end;
  if (!pass_ends_ && ++place_ == order_.size()) {
    place_ = 0;
    ++round_;
  }
  if (is_end) return pack(std::string(), metadata);
  metadata.message_id = gradtail::compose_id(options_.worker, number).value();
  metadata.wrapped_message_type = static_cast<std::uint32_t>(Type::activations);
  return pack(make_values(number, options_.floats), metadata);
}

Answers::Answers(const Options& options)
    : options_(options),
      have_gradients_(options.passes * options.messages),
      have_ended_(options.passes) {}

std::string Answers::take(const grpc::ByteBuffer& message) {
  std::string problem = received_.take(message);
  if (!problem.empty()) return problem;
  const auto& metadata = received_.metadata();
  if (received_.type() == Type::refused) return "it refused a message: " + received_.text();
  if (metadata.from_worker_id != 0) return "its from_worker_id isn't 0";
  const std::uint64_t pass = gradtail::id_counter(metadata.context_id);
  if (gradtail::id_worker(metadata.context_id) != options_.worker || pass >= options_.passes) {
    return "no such pass: " + to_string(metadata);
  }
  if (received_.type() == Type::gradients) return check_gradients();
  if (received_.type() == Type::weight_gradients) return check_weight_gradients(pass);
  return "no such answer: " + to_string(metadata);
}

std::string Answers::check_gradients() {
  const auto& metadata = received_.metadata();
  const std::uint64_t number = gradtail::id_counter(metadata.message_id);
  if (gradtail::id_worker(metadata.message_id) != options_.worker ||
      number >= have_gradients_.size() || have_gradients_[number] ||
      number / options_.messages != gradtail::id_counter(metadata.context_id)) {
    return "gradients that are not due: " + to_string(metadata);
  }
  have_gradients_[number] = true;
  const double factor = residual(make_values(number, options_.floats));
  if (agree(received_.floats(), gradients(factor, options_.floats))) return "";
  return "wrong gradients: " + to_string(metadata);
}

std::string Answers::check_weight_gradients(std::uint64_t pass) {
  if (have_ended_[pass]) return "weight gradients twice: " + to_string(received_.metadata());
  have_ended_[pass] = true;
  std::vector<double> sums(options_.floats);
  for (std::uint64_t r = 0; r < options_.messages; ++r) {
    add_weight_gradients(sums, make_values(pass * options_.messages + r, options_.floats));
  }
  if (agree(received_.floats(), rounded(sums))) return "";
  return "wrong weight gradients: " + to_string(received_.metadata());
}

}  // namespace grpc_stream
