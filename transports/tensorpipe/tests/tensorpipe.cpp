// SPDX-License-Identifier: Apache-2.0
// TensorPipe's messages: the trailer is the last payload, and what was received is read in place.
#include "gradtail/tensorpipe.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "gradtail/write.hpp"
#include "printing.hpp"

using gradtail::AutogradMetadata;
using gradtail::Check;
using gradtail::Code;
using gradtail::DevicePair;
using gradtail::Error;
using gradtail::Field;
using gradtail::Trailer;
using gradtail::TrailerScratch;
using tensorpipe::Allocation;
using tensorpipe::Descriptor;
using tensorpipe::Message;

namespace {

constexpr AutogradMetadata metadata{
    .context_id = 7, .message_id = 8, .from_worker_id = 3, .wrapped_message_type = 9};

Message message_of(std::vector<std::string>& payloads) {
  Message message;
  for (std::string& payload : payloads) {
    message.payloads.push_back({payload.data(), payload.size(), "its own metadata"});
  }
  return message;
}

/// What a receiver has of a message: sizes in one object, memory in another.
struct Received {
  Descriptor descriptor;
  Allocation allocation;

  void add(void* data, std::size_t size) {
    descriptor.payloads.push_back({size, {}});
    allocation.payloads.push_back({data});
  }
  [[nodiscard]] auto open(TrailerScratch& scratch) const {
    return gradtail::open(descriptor, allocation, scratch);
  }
};

/// The message as if its payloads had been received right where they lie.
Received received(const Message& message) {
  Received result;
  for (const Message::Payload& payload : message.payloads) result.add(payload.data, payload.length);
  return result;
}

/// The bytes of all payloads in memory of its own, cut after each `piece` bytes.
struct Cut {
  Cut(const Message& message, std::size_t piece) {
    for (const Message::Payload& payload : message.payloads) {
      bytes.append(static_cast<const char*>(payload.data), payload.length);
    }
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      pieces.add(bytes.data() + at, std::min(piece, bytes.size() - at));
    }
  }

  std::string bytes;
  Received pieces;
};

template <class D, class A>
concept Opens = requires(D&& descriptor, A&& allocation, TrailerScratch& scratch) {
  gradtail::open(std::forward<D>(descriptor), std::forward<A>(allocation), scratch);
};
static_assert(Opens<Descriptor&, const Allocation&>);
static_assert(!Opens<Descriptor, const Allocation&>);
static_assert(!Opens<const Descriptor&, Allocation>);
static_assert(!Opens<Descriptor, Allocation>);
static_assert(std::ranges::borrowed_range<gradtail::ReceivedPayloads>);

}  // namespace

TEST_CASE("the trailer is one more payload, and the others stay where and what they are") {
  std::vector<std::string> payloads{"activations", "", "labels"};
  Message message = message_of(payloads);
  Trailer trailer;
  const auto size = gradtail::append(message, metadata, trailer);
  REQUIRE(size);
  REQUIRE(message.payloads.size() == 4);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(message.payloads[i].data == payloads[i].data());
    CHECK(message.payloads[i].length == payloads[i].size());
    CHECK(message.payloads[i].metadata == "its own metadata");
  }
  CHECK(message.payloads[3].data == trailer.bytes().data());
  CHECK(message.payloads[3].length == *size);

  std::array<std::byte, gradtail::max_trailer_size> expected;
  const auto written = gradtail::write_trailer(expected, metadata, 17);
  REQUIRE(written);
  CHECK(std::ranges::equal(trailer.bytes(), std::span(expected).first(*written)));
}

TEST_CASE("a message of no payload has a trailer as its only one") {
  Message message;
  Trailer trailer;
  REQUIRE(gradtail::append(message, metadata, trailer));
  REQUIRE(message.payloads.size() == 1);
  TrailerScratch scratch;
  const Received in_place = received(message);
  const auto view = in_place.open(scratch);
  REQUIRE(view);
  CHECK(view->metadata() == metadata);
  CHECK(view->payload_size() == 0);
}

TEST_CASE("what can't be written is named, and the message stays as it was") {
  std::vector<std::string> payloads{"activations"};
  Message message = message_of(payloads);
  Trailer trailer;
  const std::array pairs{DevicePair({1, 0}, {1, 2}), DevicePair({1, 1}, {1, 2})};
  CHECK(gradtail::append(message, {.context_id = -2}, trailer).error() ==
        Error{Code::invalid, Check::values, Field::context_id, 11});
  CHECK(gradtail::append(message, {.device_map = pairs}, trailer).error() ==
        Error{Code::invalid, Check::values, Field::device_map_target, 11});
  CHECK(message.payloads.size() == 1);
  CHECK(trailer.bytes().empty());
}

TEST_CASE("a received message is read in the memory that the receiver gave") {
  std::vector<std::string> payloads{"activations", "", "labels"};
  Message message = message_of(payloads);
  Trailer trailer;
  REQUIRE(gradtail::append(message, metadata, trailer));
  const Received in_place = received(message);
  TrailerScratch scratch;
  const auto view = in_place.open(scratch);
  REQUIRE(view);
  CHECK(view->metadata() == metadata);
  CHECK(view->trailer().data() == trailer.bytes().data());
  CHECK(view->payload_size() == 17);
  std::vector<const void*> addresses;
  for (const std::span<const std::byte> segment : view->payload()) {
    addresses.push_back(segment.data());
  }
  CHECK(addresses == std::vector<const void*>{payloads[0].data(), payloads[2].data()});
}

TEST_CASE("payloads cut anywhere, even in the trailer, are read the same") {
  std::vector<std::string> payloads{"activations", "labels"};
  const std::array pairs{DevicePair({0, -1}, {0, -1}), DevicePair({1, 0}, {1, 1})};
  AutogradMetadata with_map = metadata;
  with_map.device_map = pairs;
  Message message = message_of(payloads);
  Trailer trailer;
  REQUIRE(gradtail::append(message, with_map, trailer));
  for (const unsigned piece : {1U, 2U, 3U, 7U, 16U, 50U, 1000U}) {
    const Cut cut(message, piece);
    TrailerScratch scratch;
    const auto view = cut.pieces.open(scratch);
    REQUIRE(view);
    CHECK(view->metadata() == with_map);
    std::string payload;
    for (const std::span<const std::byte> segment : view->payload()) {
      payload.append(reinterpret_cast<const char*>(segment.data()), segment.size());
    }
    CHECK(payload == "activationslabels");
  }
}

TEST_CASE("damage, truncation and messages without a trailer are reported by name") {
  std::vector<std::string> payloads{"activations"};
  Message message = message_of(payloads);
  TrailerScratch scratch;
  CHECK(received(Message{}).descriptor.payloads.empty());
  const Received empty;
  CHECK(empty.open(scratch).error().code == Code::absent);
  const Received bare = received(message);
  CHECK(bare.open(scratch).error().code == Code::absent);

  Trailer trailer;
  REQUIRE(gradtail::append(message, metadata, trailer));
  Cut damaged(message, 1000);
  damaged.bytes[20] = static_cast<char>(damaged.bytes[20] ^ 1);
  CHECK(damaged.pieces.open(scratch).error() ==
        Error{Code::corrupt, Check::checksum, Field::none, damaged.bytes.size() - 8});
  Cut short_by_its_head(message, 1000);
  short_by_its_head.pieces.descriptor.payloads[0].length = gradtail::footer_size;
  short_by_its_head.pieces.allocation.payloads[0].data =
      short_by_its_head.bytes.data() + short_by_its_head.bytes.size() - gradtail::footer_size;
  CHECK(short_by_its_head.pieces.open(scratch).error().check == Check::trailer_size);
}

TEST_CASE("a trailer over the caller's limit is refused") {
  Message message;
  Trailer trailer;
  REQUIRE(gradtail::append(message, metadata, trailer));
  const Received in_place = received(message);
  TrailerScratch scratch;
  CHECK(gradtail::open(in_place.descriptor, in_place.allocation, scratch, {.trailer_size = 40})
            .error()
            .code == Code::too_large);
}

#ifndef NDEBUG
TEST_CASE(
    "a descriptor and an allocation of different numbers of payloads are a programming error") {
  Received uneven;
  std::array<char, 64> bytes{};
  uneven.add(bytes.data(), bytes.size());
  uneven.allocation.payloads.push_back({bytes.data()});
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);  // doctest has a handler of its own
    close(STDERR_FILENO);
    static_cast<void>(gradtail::ReceivedPayloads(uneven.descriptor, uneven.allocation));
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
}
#endif
