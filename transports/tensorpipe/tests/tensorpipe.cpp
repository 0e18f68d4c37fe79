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

#include "printing.hpp"
#include "reference.hpp"

using gradtail::AutogradMetadata;
using gradtail::Check;
using gradtail::Code;
using gradtail::DevicePair;
using gradtail::Error;
using gradtail::Field;
using gradtail::Trailer;
using gradtail::TrailerScratch;
using reference::Bytes;
using tensorpipe::Allocation;
using tensorpipe::Descriptor;
using tensorpipe::Message;

namespace {

constexpr AutogradMetadata metadata = reference::forward;

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

/// Bytes received in payloads of `size` each.
Received cut(Bytes& bytes, std::size_t size) {
  Received result;
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    result.add(bytes.data() + at, std::min(size, bytes.size() - at));
  }
  return result;
}

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
  CHECK(std::ranges::equal(trailer.bytes(), reference::trailer_of(metadata, 17)));
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
  Bytes bytes = reference::message_of(17, reference::mapped);
  for (const unsigned size : {1U, 2U, 3U, 7U, 16U, 50U, 1000U}) {
    const Received pieces = cut(bytes, size);
    TrailerScratch scratch;
    const auto view = pieces.open(scratch);
    REQUIRE(view);
    CHECK(view->metadata() == reference::mapped);
    Bytes payload;
    for (const std::span<const std::byte> segment : view->payload()) {
      payload.insert(payload.end(), segment.begin(), segment.end());
    }
    CHECK(payload == reference::payload_of(17));
  }
}

TEST_CASE("a trailer over the caller's limit is refused") {
  Bytes bytes = reference::trailer_of(metadata, 0);
  const Received whole = cut(bytes, 1000);
  TrailerScratch scratch;
  CHECK(gradtail::open(whole.descriptor, whole.allocation, scratch, {.trailer_size = 40})
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
