// SPDX-License-Identifier: Apache-2.0
// open_copy reads the trailer from the scratch alone: what a peer writes meanwhile is not seen.
#include <doctest/doctest.h>

#include <array>

#include "gradtail/segments.hpp"
#include "guarded_memory.hpp"
#include "poke.hpp"
#include "printing.hpp"

using gradtail::AutogradMetadata;
using gradtail::Check;
using gradtail::Code;
using gradtail::Error;
using gradtail::Field;
using gradtail::open_copy;
using gradtail::TrailerScratch;
using reference::Bytes;

namespace {

using Spans = std::vector<std::span<const std::byte>>;

bool is_inside(std::span<const std::byte> part, std::span<const std::byte> whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

}  // namespace

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
      const Spans cut{std::span(message).first(at), std::span(message).subspan(at)};
      const auto pieces = open_copy(cut, scratches[read.size() - 1]);
      REQUIRE(pieces);
      CHECK(pieces->payload_size() == 30);
      CHECK(is_inside(pieces->trailer(), scratches[read.size() - 1].memory()));
      read.push_back(pieces->metadata());
    }
    std::ranges::fill(message, std::byte{0xFF});  // the peer writes on
    CHECK(is_inside(whole->trailer(), scratch.memory()));
    CHECK(std::ranges::equal(whole->trailer(), trailer));
    CHECK(std::ranges::count(read, metadata) == 4);
  }
}

TEST_CASE("open_copy fails as open does, for every bit of a message, whole and in pieces") {
  const Bytes message = reference::message_of(24, reference::full);
  for (std::size_t bit = 0; bit < 8 * message.size(); ++bit) {
    for (const bool mended : {false, true}) {
      Bytes changed = message;
      changed[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
      if (mended && bit / 8 < message.size() - 16) reference::mend_checksum(changed);
      const auto opened = gradtail::open(changed);
      TrailerScratch scratch;
      const auto copied = open_copy(changed, scratch);
      const Spans cut{std::span(changed).first(70), std::span(changed).subspan(70)};
      TrailerScratch other_scratch;
      const auto pieces = open_copy(cut, other_scratch);
      REQUIRE(copied.has_value() == opened.has_value());
      REQUIRE(pieces.has_value() == opened.has_value());
      if (opened) {
        CHECK(copied->metadata() == opened->metadata());
        CHECK(pieces->metadata() == opened->metadata());
      } else {
        CHECK(copied.error() == opened.error());
        CHECK(pieces.error() == opened.error());
      }
    }
  }
}

TEST_CASE("a scratch smaller than the trailer is refused as over the limit, and not written") {
  const Bytes message = reference::message_of(5, reference::full);
  const std::size_t trailer_size = message.size() - 5;
  for (std::size_t size = 0; size <= trailer_size; ++size) {
    Bytes memory(size + 1, std::byte{0xEE});
    const std::span<std::byte> room = std::span(memory).first(size);
    TrailerScratch scratch(room);
    const auto copied = open_copy(message, scratch);
    CHECK(copied.has_value() == (size == trailer_size));
    CHECK(memory.back() == std::byte{0xEE});
    if (size < trailer_size) {
      CHECK(copied.error() == Error{Code::too_large, Check::limit, Field::none, trailer_size - 11});
    }
  }
}

TEST_CASE("open_copy fails as open does, for every length and every small trailer_size") {
  const Bytes message = reference::message_of(24, reference::forward);
  TrailerScratch scratch;
  for (std::size_t size = 0; size < message.size(); ++size) {
    const auto part = std::span(message).last(size);
    CHECK(open_copy(part, scratch).error() == gradtail::open(part).error());
  }
  for (std::uint32_t size = 0; size < 100; ++size) {
    Bytes changed = message;
    poke(changed, changed.size() - 16, size, 4);
    const auto opened = gradtail::open(changed);
    const auto copied = open_copy(changed, scratch);
    REQUIRE(copied.has_value() == opened.has_value());
    if (!opened) CHECK(copied.error() == opened.error());
  }
  CHECK(open_copy(message, scratch, {.trailer_size = 63}).error().check == Check::limit);
}
