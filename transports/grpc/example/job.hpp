// SPDX-License-Identifier: Apache-2.0
// The arithmetic that the two ends share: one linear output with a squared loss.
//
//     y = sum of weight(i) * a[i]    loss = (y - t)^2 / 2
//
// The gradient that goes back is (y - t) * weight(i); that of the weights is (y - t) * a[i], added
// up over all messages of a pass.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace grpc_stream {

/// The server's weights: -3/4 to 3/4.
constexpr double weight(std::size_t i) { return (static_cast<double>(i % 7) - 3) / 4; }

/// y - t of the activations behind the target: `values` is t, a[0], a[1], ...
[[nodiscard]] double residual(const std::vector<float>& values);

/// The gradients of a[0], a[1], ...: `count` of them.
[[nodiscard]] std::vector<float> gradients(double residual, std::size_t count);

/// Adds one message's gradients of the weights. `sums` has an element for each activation.
void add_weight_gradients(std::vector<double>& sums, const std::vector<float>& values);

/// The sums as they are sent.
[[nodiscard]] std::vector<float> rounded(const std::vector<double>& sums);

/// The client's data: the target and `count` activations of message `number`, multiples of 1/16
/// in -8..8, so that sums of doubles are exact in any order.
[[nodiscard]] std::vector<float> make_values(std::uint64_t number, std::size_t count);

/// Whether an answer is right: each value to 1e-5, relative where it is above 1.
[[nodiscard]] bool agree(const std::vector<float>& values, const std::vector<float>& expected);

}  // namespace grpc_stream
