// SPDX-License-Identifier: Apache-2.0
// The messages of README.md, from and to gRPC's buffers: what to copy from this example.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "gradtail/gradtail.hpp"

namespace grpc_stream {

inline constexpr const char* method = "/gradtail.example.GradientStream/Run";

/// Bytes of the largest payload, and of what the two ends let gRPC receive.
inline constexpr std::size_t max_payload_size = std::size_t{16} << 20;
inline constexpr std::size_t max_message_size = max_payload_size + gradtail::Limits{}.trailer_size;

/// What a message is: the wrapped_message_type of its trailer.
enum class Type : std::uint32_t {
  activations = 1,
  gradients = 2,
  end_of_pass = 3,
  weight_gradients = 4,
  refused = 5
};

/// A message with these floats as payload, which stay where they are until it is sent.
[[nodiscard]] grpc::ByteBuffer pack(std::vector<float> values,
                                    const gradtail::AutogradMetadata& metadata);

/// A message with a text as payload.
[[nodiscard]] grpc::ByteBuffer pack(const std::string& text,
                                    const gradtail::AutogradMetadata& metadata);

/// One received message at a time: the view and what it borrows from travel together.
class Received {
 public:
  /// Takes the trailer off. Returns what is wrong with it, or an empty text.
  std::string take(const grpc::ByteBuffer& message);

  /// What the trailer says, until the next `take`; without a field set where that went wrong.
  [[nodiscard]] const gradtail::AutogradMetadata& metadata() const { return view_.metadata(); }
  [[nodiscard]] Type type() const { return static_cast<Type>(metadata().wrapped_message_type); }
  [[nodiscard]] std::size_t payload_size() const { return payload_size_; }

  /// The payload as floats, copied: in the slices they lie at any address, and across their ends.
  [[nodiscard]] std::vector<float> floats() const;
  [[nodiscard]] std::string text() const;

 private:
  void copy_payload(void* to) const;

  std::vector<grpc::Slice> slices_;
  gradtail::TrailerScratch scratch_;
  gradtail::TrailerView view_;
  std::size_t payload_size_ = 0;
};

}  // namespace grpc_stream
