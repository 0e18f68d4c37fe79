// SPDX-License-Identifier: Apache-2.0
// The writer: its bytes are FlatBuffers' bytes, its sizes are exact, its refusals leave no trace.
#include "gradtail/write.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <random>

#include "gradtail/open.hpp"
#include "printing.hpp"
#include "reference.hpp"

using gradtail::AutogradMetadata;
using gradtail::Check;
using gradtail::Code;
using gradtail::DevicePair;
using gradtail::Error;
using gradtail::Field;
using gradtail::write_trailer;
using reference::Bytes;

namespace {

Bytes written(const AutogradMetadata& metadata, std::uint64_t payload_size) {
  Bytes room(gradtail::max_trailer_size, std::byte{0xEE});
  const auto size = write_trailer(room, metadata, payload_size);
  REQUIRE(size);
  CHECK(std::all_of(room.begin() + static_cast<std::ptrdiff_t>(*size), room.end(),
                    [](std::byte b) { return b == std::byte{0xEE}; }));
  room.resize(*size);
  return room;
}

}  // namespace

TEST_CASE("the bytes are FlatBufferBuilder's for every set of fields and every alignment of maps") {
  for (const std::size_t count : std::array<std::size_t, 7>{1, 2, 3, 4, 8, 127, 128}) {
    const std::vector<DevicePair> map = reference::pairs(count);
    for (const auto set : reference::all_sets) {
      CAPTURE(count);
      CAPTURE(set);
      const AutogradMetadata metadata = reference::fields_of(set, map);
      const Bytes trailer = written(metadata, 1234567);
      CHECK(trailer == reference::trailer_of(metadata, 1234567));
      CHECK(trailer.size() == gradtail::trailer_size(metadata));
    }
  }
}

TEST_CASE("the payload's size is in the checksum with all of its 64 bits") {
  for (int bit = 0; bit < 64; ++bit) {
    const std::uint64_t size = std::uint64_t{1} << bit;
    CHECK(written(reference::forward, size) == reference::trailer_of(reference::forward, size));
  }
}

TEST_CASE("the documented sizes are the sizes") {
  const std::vector<DevicePair> map = reference::pairs(128);
  const auto mapped_size = [&](std::size_t count) {
    return gradtail::trailer_size(
        reference::fields_of(reference::mapped_set, std::span(map).first(count)));
  };
  CHECK(gradtail::trailer_size({}) == 32);
  CHECK(gradtail::trailer_size({.context_id = 0}) == 48);
  CHECK(gradtail::trailer_size({.context_id = 0, .message_id = 0}) == 56);
  CHECK(gradtail::trailer_size(reference::forward) == 64);
  CHECK(gradtail::trailer_size({.context_id = 0, .message_id = 0, .retain_graph = true}) == 64);
  const AutogradMetadata scalars = reference::fields_of(gradtail::detail::all_fields, {});
  CHECK(gradtail::trailer_size(scalars) == reference::trailer_of(scalars, 0).size());
  CHECK(mapped_size(1) == 80);
  CHECK(mapped_size(8) == 112);
  CHECK(mapped_size(128) == 592);
  CHECK(gradtail::trailer_size(reference::fields_of(gradtail::detail::all_fields, map)) ==
        gradtail::max_trailer_size);
  static_assert(gradtail::min_trailer_size == 32);
}

TEST_CASE("room one byte too small is refused and stays as it was") {
  const std::vector<DevicePair> map = reference::pairs(3);
  for (const auto set : reference::all_sets) {
    const AutogradMetadata metadata = reference::fields_of(set, map);
    Bytes room(gradtail::trailer_size(metadata) - 1, std::byte{0xEE});
    const Bytes before = room;
    const auto size = write_trailer(room, metadata, 77);
    REQUIRE(!size);
    CHECK(size.error() == Error{Code::no_space, Check::room, Field::none, 77});
    CHECK(room == before);
    room.push_back(std::byte{0xEE});
    CHECK(write_trailer(room, metadata, 77).value() == room.size());
  }
}

TEST_CASE("device pairs are written ascending by source, whatever their order") {
  std::vector<DevicePair> map = reference::pairs(128);
  const Bytes expected = written(reference::fields_of(reference::mapped_set, map), 5);
  std::mt19937 random(1);
  for (int round = 0; round < 20; ++round) {
    std::shuffle(map.begin(), map.end(), random);
    CHECK(written(reference::fields_of(reference::mapped_set, map), 5) == expected);
  }
}

TEST_CASE("the map may lie where the trailer is going to be") {
  const std::vector<DevicePair> map = reference::pairs(8);
  for (AutogradMetadata metadata : {AutogradMetadata{.context_id = 1}, reference::forward}) {
    metadata.device_map = map;
    const Bytes expected = reference::trailer_of(metadata, 0);
    // In front of the room, across its start, in it, across its end and behind it.
    for (std::size_t at = 0; at < 300; ++at) {
      alignas(8) std::array<std::byte, 400> memory{};
      auto* lent = reinterpret_cast<DevicePair*>(memory.data() + at);
      std::copy(map.begin(), map.end(), lent);
      metadata.device_map = {lent, map.size()};
      const std::span room = std::span(memory).subspan(64, expected.size());
      REQUIRE(write_trailer(room, metadata, 0));
      CHECK(std::ranges::equal(room, expected));
    }
  }
}
