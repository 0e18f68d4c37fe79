// SPDX-License-Identifier: Apache-2.0
// open_copy reads the trailer from the scratch alone: what a peer writes meanwhile is not seen.
#include <doctest/doctest.h>

#include <array>

#include "gradtail/segments.hpp"
#include "messages.hpp"
#include "poke.hpp"
#include "printing.hpp"

using gradtail::AutogradMetadata;
using gradtail::Check;
using gradtail::Code;
using gradtail::Error;
using gradtail::Field;
using gradtail::Limits;
using gradtail::open_copy;
using gradtail::TrailerScratch;
using reference::Bytes;

TEST_CASE("the metadata and the trailer are in the scratch, the payload is where it was") {
  const auto map = reference::pairs(5);
  for (const auto set : reference::all_sets) {
    const AutogradMetadata metadata = reference::fields_of(set, map);
    Bytes message = reference::message_of(30, metadata);
    const Bytes trailer(message.begin() + 30, message.end());
    TrailerScratch scratch;
    const auto whole = open_copy(message, scratch);
    REQUIRE(whole);
    CHECK(whole->payload().data() == message.data());
    CHECK(whole->payload_size() == 30);
    std::array<TrailerScratch, 3> scratches;
    std::vector<AutogradMetadata> read{whole->metadata()};
    for (const std::size_t at : std::array<std::size_t, 3>{20, 30, 60}) {
      const Spans segments = cut(message, {at});
      TrailerScratch& memory = scratches[read.size() - 1];
      const auto borrowed = open_copy(std::span(segments), memory);
      CHECK(is_inside(borrowed.value().trailer(), memory.memory()));
      const auto pieces = open_copy(segments, memory);
      REQUIRE(pieces);
      CHECK(pieces->payload_size() == 30);
      CHECK(is_inside(pieces->trailer(), memory.memory()));
      read.push_back(pieces->metadata());
    }
    std::ranges::fill(message, std::byte{0xFF});  // the peer writes on
    CHECK(is_inside(whole->trailer(), scratch.memory()));
    CHECK(std::ranges::equal(whole->trailer(), trailer));
    CHECK(std::ranges::count(read, metadata) == 4);
  }
}

TEST_CASE("of a message with a hostile trailer_size no byte is copied, whatever the limit") {
  Bytes message = reference::message_of(200'000, reference::forward);
  poke(message, message.size() - 16, Limits::most + 8, 4);
  const Error too_large{Code::too_large, Check::limit, Field::none, message.size() - 16};
  Bytes memory(message.size(), std::byte{0xEE});
  TrailerScratch scratch(memory);
  const Spans pieces = cut(message, {100'000});
  CHECK(open_copy(message, scratch, {SIZE_MAX}).error() == too_large);
  CHECK(open_copy(pieces, scratch, {SIZE_MAX}).error() == too_large);
  CHECK(memory == Bytes(memory.size(), std::byte{0xEE}));
}
