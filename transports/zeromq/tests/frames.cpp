// SPDX-License-Identifier: Apache-2.0
// A trailer as the last frame of a multipart ZeroMQ message.
#include "frames.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <zmq.hpp>
#include <zmq_addon.hpp>

#include "printing.hpp"

using gradtail::Check;
using gradtail::Code;
using gradtail::Error;
using gradtail::Field;
using gradtail::TrailerScratch;

TEST_CASE_TEMPLATE("the trailer becomes a last frame, and the payload's frames stay", C, Frames,
                   std::deque<zmq::message_t>, zmq::multipart_t) {
  const auto map = reference::pairs(128);
  for (const unsigned set : {0x00U, 0x0FU, 0xFFU}) {
    const AutogradMetadata metadata = reference::fields_of(set, map);
    const Bytes payload = reference::payload_of(1000);
    for (auto sizes : {std::initializer_list<std::size_t>{}, {0}, {400, 0, 100}, {1000}}) {
      auto frames = cut<C>(payload, sizes);
      if constexpr (std::is_same_v<C, Frames>) frames.reserve(frames.size() + 1);
      const auto before = addresses(frames);
      const auto size = gradtail::append(frames, metadata);
      REQUIRE(size);
      CHECK(*size == gradtail::trailer_size(metadata));
      CHECK(frames.size() == before.size() + 1);
      CHECK(joined(frames) == reference::message_of(1000, metadata));
      const auto trailer = bytes_of(*std::prev(frames.end()));
      CHECK(std::ranges::equal(trailer, reference::trailer_of(metadata, 1000)));
      auto after = addresses(frames);
      after.pop_back();
      CHECK(after == before);
    }
  }
}

TEST_CASE("no frames are an empty payload") {
  Frames frames;
  REQUIRE(gradtail::append(frames, reference::forward));
  CHECK(joined(frames) == reference::trailer_of(reference::forward, 0));
  TrailerScratch scratch;
  REQUIRE(gradtail::strip(frames, scratch));
  CHECK(frames.empty());
}

TEST_CASE("frames that a trailer is refused for stay as they are") {
  Frames frames = cut(reference::payload_of(100), {30});
  const auto before = addresses(frames);
  const auto size = gradtail::append(frames, refused);
  REQUIRE(!size);
  CHECK(size.error() == Error{Code::invalid, Check::values, Field::context_id, 100});
  CHECK(addresses(frames) == before);
}

TEST_CASE_TEMPLATE("strip takes the last frame and needs nothing of the others", C, Frames,
                   std::deque<zmq::message_t>, zmq::multipart_t) {
  auto frames = cut<C>(reference::payload_of(100), {0, 40});
  REQUIRE(gradtail::append(frames, reference::full));
  const auto sent = addresses(frames);
  TrailerScratch scratch;
  const std::size_t count = allocations;
  const auto stripped = gradtail::strip(frames, scratch);
  CHECK(allocations == count);
  REQUIRE(stripped);
  CHECK(frames.size() == 3);
  CHECK(joined(frames) == reference::payload_of(100));
  auto after = addresses(frames);
  after.push_back(sent.back());
  CHECK(after == sent);
  frames.clear();
  CHECK(stripped->metadata() == reference::full);
  CHECK(stripped->trailer().data() == scratch.memory().data());
  CHECK(std::ranges::equal(stripped->trailer(), reference::trailer_of(reference::full, 100)));
}

TEST_CASE("strip refuses what open refuses, with the same error and the frames unchanged") {
  const Bytes message = reference::message_of(100, reference::full);
  for (std::size_t at = 100; at < message.size(); ++at) {
    Bytes damaged = message;
    damaged[at] ^= std::byte{0x10};
    Frames frames = cut(damaged, {60, 40});
    const auto before = addresses(frames);
    TrailerScratch scratch;
    const auto stripped = gradtail::strip(frames, scratch);
    REQUIRE(!stripped);
    CHECK(stripped.error() == gradtail::open(damaged).error());
    CHECK(addresses(frames) == before);
    CHECK(joined(frames) == damaged);
  }
}

TEST_CASE("strip refuses a trailer that isn't just the last frame") {
  const Bytes message = reference::message_of(100, reference::forward);
  const std::initializer_list<std::size_t> cuts[] = {{}, {99}, {101}, {100, 1}, {100, 64}};
  for (const auto& sizes : cuts) {
    Frames frames = cut(message, sizes);
    TrailerScratch scratch;
    REQUIRE(gradtail::open(frames, scratch));
    const auto stripped = gradtail::strip(frames, scratch);
    REQUIRE(!stripped);
    CHECK(stripped.error() == Error{Code::invalid, Check::trailer_size, Field::none, 148});
    CHECK(frames.size() == sizes.size() + 1);
    CHECK(joined(frames) == message);
  }
}

TEST_CASE("strip keeps to the limit and to the scratch's size") {
  Frames frames = cut(reference::message_of(100, reference::forward), {100});
  Bytes memory(64);
  TrailerScratch small{std::span(memory).first(63)};
  CHECK(gradtail::strip(frames, small).error().check == Check::limit);
  TrailerScratch enough(memory);
  CHECK(gradtail::strip(frames, enough, {.trailer_size = 63}).error().check == Check::limit);
  CHECK(gradtail::strip(frames, enough).has_value());
}
