// SPDX-License-Identifier: Apache-2.0
// All sums in double, rounded once.
#include "job.hpp"

#include <algorithm>
#include <cmath>
#include <random>

namespace grpc_stream {

double residual(const std::vector<float>& values) {
  double sum = 0;
  for (std::size_t i = 1; i < values.size(); ++i) sum += weight(i - 1) * values[i];
  return sum - values[0];
}

std::vector<float> gradients(double residual, std::size_t count) {
  std::vector<float> result(count);
  for (std::size_t i = 0; i < count; ++i) result[i] = static_cast<float>(residual * weight(i));
  return result;
}

void add_weight_gradients(std::vector<double>& sums, const std::vector<float>& values) {
  const double factor = residual(values);
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += factor * values[i + 1];
}

std::vector<float> rounded(const std::vector<double>& sums) {
  std::vector<float> result(sums.size());
  std::ranges::transform(sums, result.begin(), [](double sum) { return static_cast<float>(sum); });
  return result;
}

std::vector<float> make_values(std::uint64_t number, std::size_t count) {
  std::mt19937_64 random(number);
  std::vector<float> values(count + 1);
  for (float& value : values) value = static_cast<float>(random() % 257) / 16 - 8;
  return values;
}

bool agree(const std::vector<float>& values, const std::vector<float>& expected) {
  return std::ranges::equal(values, expected, [](float value, float right) {
    return std::abs(value - right) <= 1e-5F * std::max(1.0F, std::abs(right));
  });
}

}  // namespace grpc_stream
