// SPDX-License-Identifier: Apache-2.0
// A trailer that travels by itself gives what it gives at the end of a message; peek finds its
// size.
#include <doctest/doctest.h>

#include "gradtail/open.hpp"
#include "guarded_memory.hpp"
#include "poke.hpp"
#include "printing.hpp"

using gradtail::AutogradMetadata;
using gradtail::Check;
using gradtail::Code;
using gradtail::Error;
using gradtail::Field;
using gradtail::open_trailer;
using reference::Bytes;

TEST_CASE("a detached trailer opens with its payload's size, and with no other") {
  const auto map = reference::pairs(5);
  for (const auto set : reference::all_sets) {
    const AutogradMetadata metadata = reference::fields_of(set, map);
    for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{1} << 40, UINT64_MAX}) {
      aligned_and_misaligned(reference::trailer_of(metadata, size), [&](auto trailer) {
        const auto opened = open_trailer(trailer, size);
        REQUIRE(opened);
        CHECK(opened->metadata() == metadata);
        CHECK(opened->trailer().data() == trailer.data());
        CHECK(opened->trailer().size() == trailer.size());
        for (unsigned bit = 0; bit < 64; ++bit) {
          CHECK(open_trailer(trailer, size ^ std::uint64_t{1} << bit).error() ==
                Error{Code::corrupt, Check::checksum, Field::none, trailer.size() - 8});
        }
      });
    }
  }
}

TEST_CASE("bytes before or behind a detached trailer are refused as a wrong size") {
  for (const AutogradMetadata& metadata : {reference::forward, reference::full}) {
    Bytes longer = reference::message_of(8, metadata);
    for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{8}}) {
      CHECK(open_trailer(longer, size).error() ==
            Error{Code::corrupt, Check::trailer_size, Field::none, longer.size() - 16});
    }
    const Bytes trailer = reference::trailer_of(metadata, 8);
    const auto part = std::span(trailer).subspan(8);
    CHECK(open_trailer(part, 8).error() ==
          Error{Code::corrupt, Check::trailer_size, Field::none, part.size() - 16});
  }
}

TEST_CASE(
    "a damaged detached trailer fails as the same message does, at its place in the trailer") {
  constexpr std::size_t payload_size = 24;
  const Bytes message = reference::message_of(payload_size, reference::full);
  each_flip(message, 8 * payload_size, [&](const Bytes& changed, std::size_t bit) {
    const auto attached = gradtail::open(changed);
    const auto detached = open_trailer(std::span(changed).subspan(payload_size), payload_size);
    REQUIRE(attached.has_value() == detached.has_value());
    if (attached) {
      CHECK(attached->metadata() == detached->metadata());
      return;
    }
    Error expected = attached.error();
    // A size that isn't the trailer's is found sooner, as it must be exact.
    const bool is_size = bit / 8 >= message.size() - 16 && bit / 8 < message.size() - 12;
    if (is_size) expected = {Code::corrupt, Check::trailer_size, Field::none, message.size() - 16};
    expected.offset -= payload_size;
    CHECK(detached.error() == expected);
  });
}

TEST_CASE("a limit holds for detached trailers, and nothing outside of them is read") {
  const guarded::Fenced fenced;
  const Bytes trailer = reference::trailer_of(reference::full, 7);
  for (const auto room : {fenced.front(trailer.size()), fenced.back(trailer.size())}) {
    std::ranges::copy(trailer, room.begin());
    CHECK(open_trailer(room, 7).value().metadata() == reference::full);
    CHECK(open_trailer(room, 7, {trailer.size()}).has_value());
    CHECK(open_trailer(room, 7, {trailer.size() - 1}).error() ==
          Error{Code::too_large, Check::limit, Field::none, trailer.size() - 16});
  }
  for (std::size_t size = 0; size < trailer.size(); ++size) {
    CHECK_FALSE(open_trailer(fenced.back(size), 7));
  }
}

TEST_CASE("peek gives the trailer's size from any tail of a message, and the errors of open") {
  const Bytes message = reference::message_of(100, reference::full);
  const std::size_t trailer_size = message.size() - 100;
  for (std::size_t size = 16; size <= message.size(); ++size) {
    const auto tail = std::span(message).last(size);
    CHECK(gradtail::peek(tail, message.size()).value() == trailer_size);
  }
  const auto tail = std::span(message).last(16);
  CHECK(gradtail::peek(tail.last(15), message.size()).error() ==
        Error{Code::absent, Check::magic, Field::none, message.size() - 4});
  CHECK(gradtail::peek(tail, trailer_size).value() == trailer_size);
  CHECK(gradtail::peek(tail, trailer_size - 1).error() ==
        Error{Code::corrupt, Check::trailer_size, Field::none, trailer_size - 17});
  CHECK(gradtail::peek(tail, message.size(), {trailer_size - 8}).error() ==
        Error{Code::too_large, Check::limit, Field::none, message.size() - 16});
  CHECK(gradtail::peek(tail.first(15), 15).error() ==
        Error{Code::absent, Check::magic, Field::none, 0});
  for (const std::size_t at : {std::size_t{4}, std::size_t{6}, std::size_t{12}}) {
    Bytes changed = message;
    poke(changed, message.size() - 16 + at, 0xAB, 1);
    CHECK(gradtail::peek(std::span(changed).last(16), message.size()).error() ==
          gradtail::open(changed).error());
  }
}
