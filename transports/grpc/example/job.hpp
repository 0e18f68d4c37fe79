// SPDX-License-Identifier: Apache-2.0
// The arithmetic that the two ends share: one linear output with a squared loss.
//
//     y = sum of weight(i) * a[i]    loss = (y - t)^2 / 2
//
// The gradient that goes back is (y - t) * weight(i); that of the weights is (y - t) * a[i], added
// up over all messages of a pass. All sums are doubles, rounded once.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace grpc_stream {

using Floats = std::vector<float>;

/// The server's weights: -3/4 to 3/4.
constexpr double weight(std::size_t i) { return (static_cast<double>(i % 7) - 3) / 4; }

/// y - t of the activations behind the target: `values` is t, a[0], a[1], ...
inline double residual(const Floats& values) {
  double sum = 0;
  for (std::size_t i = 1; i < values.size(); ++i) sum += weight(i - 1) * values[i];
  return sum - values[0];
}

/// The gradients of a[0], a[1], ...
inline Floats gradients(const Floats& values) {
  const double factor = residual(values);
  Floats result(values.size() - 1);
  for (std::size_t i = 0; i < result.size(); ++i) {
    result[i] = static_cast<float>(factor * weight(i));
  }
  return result;
}

/// Adds one message's gradients of the weights. `sums` has an element for each activation.
inline void add_weight_gradients(std::vector<double>& sums, const Floats& values) {
  const double factor = residual(values);
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += factor * values[i + 1];
}

/// The sums as they are sent.
inline Floats rounded(const std::vector<double>& sums) {
  Floats result(sums.size());
  std::ranges::transform(sums, result.begin(), [](double sum) { return static_cast<float>(sum); });
  return result;
}

/// The client's data: the target and `count` activations of message `number`, multiples of 1/16
/// in -8..8, so that sums of doubles are exact in any order.
inline Floats make_values(std::uint64_t number, std::size_t count) {
  std::mt19937_64 random(number);
  Floats values(count + 1);
  for (float& value : values) value = static_cast<float>(random() % 257) / 16 - 8;
  return values;
}

/// Whether an answer is right: each value to 1e-5, relative where it is above 1.
inline bool agree(const Floats& values, const Floats& expected) {
  return std::ranges::equal(values, expected, [](float value, float right) {
    return std::abs(value - right) <= 1e-5F * std::max(1.0F, std::abs(right));
  });
}

}  // namespace grpc_stream
