// SPDX-License-Identifier: Apache-2.0
// gRPC's buffers: what append, open and strip do to their slices, and what they refuse.
#include "gradtail/grpc.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "buffers.hpp"
#include "printing.hpp"

using gradtail::AutogradMetadata;
using gradtail::Code;
using gradtail::Field;
using gradtail::TrailerScratch;
using namespace grpc_buffers;

TEST_CASE("append adds the trailer as one slice behind those of the payload, which stay") {
  const auto map = reference::pairs(128);
  for (const std::size_t payload_size : {0U, 1U, 24U, 1000U, 100000U}) {
    for (const unsigned set : {0x00U, 0x01U, 0x0FU, 0xFFU}) {
      const AutogradMetadata metadata = reference::fields_of(set, map);
      const Bytes payload = reference::payload_of(payload_size);
      grpc::ByteBuffer buffer = cut(payload, std::array{payload_size / 2});
      const Slices before = slices_of(buffer);
      const Bytes trailer = reference::trailer_of(metadata, payload_size);
      CHECK(gradtail::append(buffer, metadata).value() == trailer.size());
      const Slices after = slices_of(buffer);
      REQUIRE(after.size() == before.size() + 1);
      for (std::size_t i = 0; i < before.size(); ++i) {
        CHECK(after[i].size() == before[i].size());
        if (before[i].size() > GRPC_SLICE_INLINED_SIZE) {
          CHECK(after[i].begin() == before[i].begin());
        }
      }
      CHECK(joined(after) == reference::message_of(payload_size, metadata));
    }
  }
}

TEST_CASE("a buffer that was never filled is an empty payload") {
  grpc::ByteBuffer buffer;
  REQUIRE_FALSE(buffer.Valid());
  Slices slices(3);
  TrailerScratch scratch;
  CHECK(gradtail::open(buffer, slices, scratch).error().code == Code::absent);
  CHECK(slices.empty());
  CHECK(gradtail::strip(buffer, scratch).error().code == Code::absent);
  CHECK_FALSE(buffer.Valid());
  REQUIRE(gradtail::append(buffer, reference::forward));
  CHECK(bytes_of(buffer) == reference::message_of(0, reference::forward));
  REQUIRE(gradtail::strip(buffer, scratch));
  CHECK(buffer.Valid());
  CHECK(buffer.Length() == 0);
}

TEST_CASE("a buffer that shares its slices with another one leaves that as it is") {
  grpc::ByteBuffer buffer = whole(reference::payload_of(100));
  const grpc::ByteBuffer other = buffer;
  REQUIRE(gradtail::append(buffer, reference::forward));
  CHECK(bytes_of(other) == reference::payload_of(100));
  const grpc::ByteBuffer message = buffer;
  TrailerScratch scratch;
  REQUIRE(gradtail::strip(buffer, scratch));
  CHECK(bytes_of(message) == reference::message_of(100, reference::forward));
}

TEST_CASE("what append refuses leaves the buffer as it was") {
  grpc::ByteBuffer buffer = cut(reference::payload_of(100), std::array<std::size_t, 1>{40});
  const Slices before = slices_of(buffer);
  const auto refused = gradtail::append(buffer, {.from_worker_id = -2});
  CHECK(refused.error() ==
        gradtail::Error{Code::invalid, gradtail::Check::values, Field::from_worker_id, 100});
  CHECK(buffer.Length() == 100);
  CHECK(slices_of(buffer).size() == 2);
  check_same_memory(slices_of(buffer), before, 100);
}

TEST_CASE("any two cuts give what one span gives, to open and to strip") {
  const Bytes message = reference::message_of(60, reference::mapped);
  for (std::size_t a = 0; a <= message.size(); ++a) {
    for (std::size_t b = a; b <= message.size(); ++b) {
      grpc::ByteBuffer buffer = cut(message, std::array{a, b});
      const Slices before = slices_of(buffer);
      Slices slices;
      TrailerScratch scratch;
      const auto opened = gradtail::open(buffer, slices, scratch);
      REQUIRE(opened);
      CHECK(opened->metadata() == reference::mapped);
      CHECK(joined(opened->payload()) == reference::payload_of(60));
      const auto stripped = gradtail::strip(buffer, scratch);
      REQUIRE(stripped);
      CHECK(stripped->metadata() == reference::mapped);
      CHECK(stripped->trailer().data() == scratch.memory().data());
      CHECK(buffer.Length() == 60);
      CHECK(bytes_of(buffer) == reference::payload_of(60));
    }
  }
}

TEST_CASE("strip keeps the payload's memory, however little of a slice is payload") {
  for (std::size_t size = 0; size < 70; ++size) {
    grpc::ByteBuffer buffer = whole(reference::message_of(size, reference::forward));
    const Slices before = slices_of(buffer);
    TrailerScratch scratch;
    REQUIRE(gradtail::strip(buffer, scratch));
    const Slices after = slices_of(buffer);
    CHECK(after.size() == (size == 0 ? 0 : 1));
    check_same_memory(after, before, size);
  }
}

TEST_CASE("what open refuses, strip refuses with the same error and the buffer unchanged") {
  const Bytes message = reference::message_of(50, reference::forward);
  for (std::size_t at = 50; at < message.size(); ++at) {
    Bytes damaged = message;
    damaged[at] ^= std::byte{0x10};
    grpc::ByteBuffer buffer = cut(damaged, std::array<std::size_t, 1>{57});
    const Slices before = slices_of(buffer);
    const auto expected = gradtail::open(damaged);
    Slices slices;
    TrailerScratch scratch;
    CHECK(gradtail::open(buffer, slices, scratch).error() == expected.error());
    CHECK(gradtail::strip(buffer, scratch).error() == expected.error());
    check_same_memory(slices_of(buffer), before, damaged.size());
  }
}

TEST_CASE("a trailer over the limit is refused") {
  grpc::ByteBuffer buffer = whole(reference::message_of(50, reference::forward));
  Slices slices;
  TrailerScratch scratch;
  const gradtail::Limits limits{.trailer_size = 63};
  CHECK(gradtail::open(buffer, slices, scratch, limits).error().code == Code::too_large);
  CHECK(gradtail::strip(buffer, scratch, limits).error().code == Code::too_large);
}

TEST_CASE("a scratch smaller than the trailer refuses it as too large") {
  grpc::ByteBuffer buffer = whole(reference::message_of(50, reference::forward));
  std::array<std::byte, 63> memory;
  TrailerScratch scratch{std::span(memory)};
  CHECK(gradtail::strip(buffer, scratch).error().code == Code::too_large);
  CHECK(buffer.Length() == 114);
}

TEST_CASE("exactly one trailer is taken off, the outermost") {
  grpc::ByteBuffer buffer = whole(reference::payload_of(33));
  REQUIRE(gradtail::append(buffer, reference::forward));
  REQUIRE(gradtail::append(buffer, reference::mapped));
  TrailerScratch scratch;
  CHECK(gradtail::strip(buffer, scratch).value().metadata() == reference::mapped);
  CHECK(gradtail::strip(buffer, scratch).value().metadata() == reference::forward);
  CHECK(bytes_of(buffer) == reference::payload_of(33));
}

TEST_CASE("each code has gRPC's code, and the status says the whole sentence") {
  CHECK(gradtail::to_status_code(Code::absent) == grpc::StatusCode::INVALID_ARGUMENT);
  CHECK(gradtail::to_status_code(Code::unsupported) == grpc::StatusCode::UNIMPLEMENTED);
  CHECK(gradtail::to_status_code(Code::corrupt) == grpc::StatusCode::DATA_LOSS);
  CHECK(gradtail::to_status_code(Code::too_large) == grpc::StatusCode::RESOURCE_EXHAUSTED);
  CHECK(gradtail::to_status_code(Code::invalid) == grpc::StatusCode::INVALID_ARGUMENT);
  CHECK(gradtail::to_status_code(Code::no_space) == grpc::StatusCode::INTERNAL);
  CHECK(gradtail::to_status_code(Code{0}) == grpc::StatusCode::UNKNOWN);
  const gradtail::Error error{Code::invalid, gradtail::Check::values, Field::message_id, 32};
  const grpc::Status status = gradtail::to_status(error);
  CHECK(status.error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  CHECK(status.error_message() == to_string(error));
}
