// SPDX-License-Identifier: Apache-2.0
// The client's half of a stream: what to send next, and whether an answer is right.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "message.hpp"
#include "options.hpp"

namespace grpc_stream {

/// Messages of all passes, interleaved: each round has one of every pass, in an order of its own.
/// In the last round each pass ends.
class Requests {
 public:
  explicit Requests(const Options& options);

  /// The next message; none when all are sent.
  [[nodiscard]] std::optional<grpc::ByteBuffer> next();

 private:
  const Options& options_;
  std::vector<std::uint64_t> order_;
  std::uint64_t round_ = 0;
  std::size_t place_ = 0;   // in the order of this round
  bool pass_ends_ = false;  // with the next message
};

/// The answers, found by their ids alone.
class Answers {
 public:
  explicit Answers(const Options& options);

  /// Returns what is wrong with the answer, or an empty text.
  [[nodiscard]] std::string take(const grpc::ByteBuffer& message);

 private:
  std::string check_gradients();
  std::string check_weight_gradients(std::uint64_t pass);

  const Options& options_;
  Received received_;
  std::vector<bool> have_gradients_;  // of each message
  std::vector<bool> have_ended_;      // each pass
};

}  // namespace grpc_stream
