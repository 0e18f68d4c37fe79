// SPDX-License-Identifier: Apache-2.0
// The messages of README.md, from and to gRPC's buffers. Copy from this file: it holds all the use
// of gradtail that a program needs. gRPC's memory is used where it is.
#pragma once

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <gradtail/gradtail.hpp>
#include <gradtail/grpc.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

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

/// A message of this type with the slice as payload and the metadata behind it.
inline grpc::ByteBuffer pack(const grpc::Slice& payload, Type type,
                             gradtail::AutogradMetadata metadata) {
  metadata.wrapped_message_type = static_cast<std::uint32_t>(type);
  grpc::ByteBuffer message(&payload, 1);
  const auto appended = gradtail::append(message, metadata);
  if (!appended) throw std::logic_error(to_string(appended.error()));
  return message;
}

/// A message with these floats as payload, which stay where they are until it is sent.
inline grpc::ByteBuffer pack(std::vector<float> values, Type type,
                             const gradtail::AutogradMetadata& metadata) {
  auto* kept = new std::vector<float>(std::move(values));
  const auto release = [](void* sent) { delete static_cast<std::vector<float>*>(sent); };
  return pack({kept->data(), kept->size() * sizeof(float), release, kept}, type, metadata);
}

/// One received message at a time: the view and what it borrows from travel together.
class Received {
 public:
  /// Takes the trailer off. Returns what is wrong with it, or an empty text.
  std::string take(const grpc::ByteBuffer& message) {
    const auto opened = gradtail::open(message, slices_, scratch_);
    view_ = opened ? gradtail::TrailerView(*opened) : gradtail::TrailerView();
    payload_size_ = opened ? opened->payload_size() : 0;
    return opened ? "" : to_string(opened.error());
  }

  /// What the trailer says, until the next `take`; no field is set where that went wrong.
  [[nodiscard]] const gradtail::AutogradMetadata& metadata() const { return view_.metadata(); }
  [[nodiscard]] Type type() const { return static_cast<Type>(metadata().wrapped_message_type); }
  [[nodiscard]] std::size_t payload_size() const { return payload_size_; }

  /// The payload, copied: in the slices, numbers are at any address and across slices' ends. Empty
  /// if it isn't made of whole elements.
  template <class Container>
  [[nodiscard]] Container payload() const {
    constexpr std::size_t size = sizeof(typename Container::value_type);
    if (payload_size_ % size != 0) return {};
    Container copy(payload_size_ / size, {});
    auto* at = reinterpret_cast<std::byte*>(copy.data());
    for (const auto piece : gradtail::PayloadSegments(slices_.begin(), payload_size_)) {
      at = std::ranges::copy(piece, at).out;
    }
    return copy;
  }

 private:
  std::vector<grpc::Slice> slices_;
  gradtail::TrailerScratch scratch_;
  gradtail::TrailerView view_;
  std::size_t payload_size_ = 0;
};

}  // namespace grpc_stream
