// SPDX-License-Identifier: Apache-2.0
// The server's half of one stream: which passes are open, and the answer to each message.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "message.hpp"

namespace grpc_stream {

class Passes {
 public:
  /// What a peer can make the server keep for one stream.
  static constexpr std::size_t max_open = 1024;
  static constexpr std::size_t max_sums = std::size_t{16} << 20;

  /// The one answer to a message, whatever the message is.
  [[nodiscard]] grpc::ByteBuffer answer(const grpc::ByteBuffer& message);

  [[nodiscard]] std::size_t answered() const { return answered_; }
  [[nodiscard]] std::size_t refused() const { return refused_; }
  [[nodiscard]] std::size_t open() const { return sums_.size(); }

 private:
  std::string check() const;
  std::string check_activations(std::size_t count) const;
  grpc::ByteBuffer add(gradtail::AutogradMetadata reply);
  grpc::ByteBuffer end(gradtail::AutogradMetadata reply);

  Received received_;
  std::int32_t worker_ = -1;                          // who sends on this stream
  std::map<std::int64_t, std::vector<double>> sums_;  // of weight gradients, for each open pass
  std::size_t sums_size_ = 0;                         // of all of them together
  std::size_t answered_ = 0;
  std::size_t refused_ = 0;
};

}  // namespace grpc_stream
