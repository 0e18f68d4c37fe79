// SPDX-License-Identifier: Apache-2.0
// Sending adds a slice, receiving takes references: gRPC's memory is used where it is.
#include "message.hpp"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <stdexcept>
#include <utility>

#include "gradtail/grpc.hpp"

namespace grpc_stream {

namespace {

grpc::ByteBuffer with_trailer(const grpc::Slice& payload,
                              const gradtail::AutogradMetadata& metadata) {
  grpc::ByteBuffer message(&payload, 1);
  const auto appended = gradtail::append(message, metadata);
  if (!appended) throw std::logic_error(to_string(appended.error()));
  return message;
}

}  // namespace

grpc::ByteBuffer pack(std::vector<float> values, const gradtail::AutogradMetadata& metadata) {
  auto* kept = new std::vector<float>(std::move(values));
  const auto release = [](void* sent) { delete static_cast<std::vector<float>*>(sent); };
  return with_trailer({kept->data(), kept->size() * sizeof(float), release, kept}, metadata);
}

grpc::ByteBuffer pack(const std::string& text, const gradtail::AutogradMetadata& metadata) {
  return with_trailer(grpc::Slice(text), metadata);
}

std::string Received::take(const grpc::ByteBuffer& message) {
  const auto opened = gradtail::open(message, slices_, scratch_);
  view_ = opened ? gradtail::TrailerView(*opened) : gradtail::TrailerView();
  payload_size_ = opened ? opened->payload_size() : 0;
  return opened ? "" : to_string(opened.error());
}

void Received::copy_payload(void* to) const {
  auto* at = static_cast<std::byte*>(to);
  for (const std::span<const std::byte> piece :
       gradtail::PayloadSegments(slices_.begin(), payload_size_)) {
    at = std::ranges::copy(piece, at).out;
  }
}

std::vector<float> Received::floats() const {
  std::vector<float> values(payload_size_ / sizeof(float));
  if (payload_size_ % sizeof(float) == 0) copy_payload(values.data());
  return values;
}

std::string Received::text() const {
  std::string text(payload_size_, ' ');
  copy_payload(text.data());
  return text;
}

}  // namespace grpc_stream
