// SPDX-License-Identifier: Apache-2.0
// Finds send functions by the ids of a trailer, and by nothing else.
#include "contexts.hpp"

#include <stdexcept>
#include <string>
#include <utility>

namespace torch_two_workers {

namespace {

std::string name(const PairId& pair) {
  return to_string(
      gradtail::AutogradMetadata{.context_id = pair.context_id, .message_id = pair.message_id});
}

}  // namespace

void Contexts::add(const PairId& pair, Sent sent) {
  const std::lock_guard lock(mutex_);
  if (!sent_.emplace(pair, std::move(sent)).second) {
    throw std::runtime_error("a pair is used twice: " + name(pair));
  }
}

Sent Contexts::take(const PairId& pair) {
  const std::lock_guard lock(mutex_);
  const auto found = sent_.find(pair);
  if (found == sent_.end()) {
    throw std::runtime_error("gradients for a pair that waits for none: " + name(pair));
  }
  return std::move(sent_.extract(found).mapped());
}

void Contexts::add_gradients(std::int64_t context_id, std::vector<at::Tensor> gradients) {
  const std::lock_guard lock(mutex_);
  const auto [found, is_new] = gradients_.emplace(context_id, gradients);
  for (std::size_t i = 0; !is_new && i < gradients.size(); ++i) found->second[i] += gradients[i];
}

std::vector<at::Tensor> Contexts::take_gradients() {
  const std::lock_guard lock(mutex_);
  if (gradients_.empty()) throw std::runtime_error("there are no gradients to step with");
  if (!sent_.empty()) {
    throw std::runtime_error("no gradient has come for " + name(sent_.begin()->first));
  }
  std::vector<at::Tensor> sums;
  for (const auto& [context_id, gradients] : gradients_) {
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      if (i < sums.size()) {
        sums[i] += gradients[i];
      } else {
        sums.push_back(gradients[i].clone());
      }
    }
  }
  gradients_.clear();
  return sums;
}

}  // namespace torch_two_workers
