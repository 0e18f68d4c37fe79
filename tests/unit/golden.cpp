// SPDX-License-Identifier: Apache-2.0
// Golden messages, made by an implementation of FORMAT.md in another language: read and written.
#include "golden.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "gradtail/open.hpp"
#include "gradtail/write.hpp"
#include "oracle.hpp"
#include "poke.hpp"
#include "printing.hpp"

using gradtail::AutogradMetadata;
using gradtail::DevicePair;

TEST_CASE("every golden message is read, aligned and misaligned, as FlatBuffers reads it") {
  CHECK(load_golden().size() >= 160);
  for (const Golden& golden : load_golden()) {
    CAPTURE(golden.name);
    std::vector<DevicePair> map;
    const AutogradMetadata expected = parse_fields(golden.fields, map);
    aligned_and_misaligned(golden.message, [&](auto bytes) {
      const auto opened = gradtail::open(bytes);
      REQUIRE(opened);
      CHECK(opened->metadata() == expected);
      CHECK(opened->payload().size() == golden.payload_size);
      CHECK(opened->trailer().size() == golden.trailer_size);
      const auto parsed = reference::parse(opened->trailer(), golden.payload_size);
      CHECK(parsed.value().metadata() == expected);
      CHECK(oracle::agrees(opened, oracle::open(bytes), bytes));
    });
  }
}

TEST_CASE("every canonical golden trailer is written again, byte for byte") {
  for (const Golden& golden : load_golden()) {
    if (!golden.canonical) continue;
    CAPTURE(golden.name);
    std::vector<DevicePair> map;
    reference::Bytes room(gradtail::max_trailer_size);
    const auto size =
        gradtail::write_trailer(room, parse_fields(golden.fields, map), golden.payload_size);
    REQUIRE(size);
    room.resize(*size);
    CHECK(std::ranges::equal(room, std::span(golden.message).subspan(golden.payload_size)));
  }
}
