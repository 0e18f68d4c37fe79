// SPDX-License-Identifier: Apache-2.0
// The code of transports/grpc/README.md compiles and does what the page says.
#include <doctest/doctest.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

// Before the page includes them: in there a namespace is open.
#include "gradtail/gradtail.hpp"
#include "gradtail/grpc.hpp"

namespace {

std::string failure;
std::vector<std::byte> consumed;
std::int64_t handled_context = -1;
std::size_t handled_size = 0;

bool fail(const gradtail::Error& error) {
  failure = to_string(error);
  return false;
}

void consume(std::span<const std::byte> piece) {
  consumed.insert(consumed.end(), piece.begin(), piece.end());
}

bool handle(std::int64_t context, std::size_t payload_size) {
  handled_context = context;
  handled_size = payload_size;
  return true;
}

#include "grpc.inc"

}  // namespace

TEST_CASE("what the gRPC page sends, it receives") {
  const Activations values = {1.5F, -2, 3};
  grpc::ByteBuffer message;
  REQUIRE(make_message(std::make_unique<Activations>(values), {.context_id = 5}, message));
  CHECK(message.Length() == 12 + 48);
  consumed.clear();
  REQUIRE(on_read(message));
  CHECK(handled_context == 5);
  CHECK(handled_size == 12);
  REQUIRE(consumed.size() == 12);
  CHECK(std::ranges::equal(consumed, std::as_bytes(std::span(values))));
  handled_context = -1;
  REQUIRE(on_read_buffer(message));
  CHECK(handled_context == 5);
  CHECK(message.Length() == 12);
  CHECK_FALSE(on_read(message));
  CHECK(failure.starts_with("absent"));
  CHECK_FALSE(on_read_buffer(message));
  CHECK_FALSE(make_message(std::make_unique<Activations>(values), {.context_id = -2}, message));
  CHECK(failure.starts_with("invalid"));
}

TEST_CASE("the gRPC page's slices are segments and bytes") {
  const std::string payload = "a payload of more bytes than a slice holds itself";
  grpc::ByteBuffer message;
  REQUIRE(make_message_of({grpc::Slice(payload)}, payload.size(), message));
  REQUIRE(on_read(message));
  CHECK(handled_context == 7);
  grpc::Slice single;
  REQUIRE(message.DumpToSingleSlice(&single).ok());
  handled_size = 0;
  REQUIRE(on_slice(single));
  CHECK(handled_size == payload.size());
}
