// SPDX-License-Identifier: Apache-2.0
// A trailer as a value of its own: the writer's bytes, which every copy keeps for itself.
#include "gradtail/trailer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "messages.hpp"
#include "printing.hpp"

using gradtail::AutogradMetadata;
using gradtail::Check;
using gradtail::Code;
using gradtail::DevicePair;
using gradtail::Error;
using gradtail::Field;
using gradtail::Trailer;
using reference::Bytes;

namespace {

bool holds(const Trailer& trailer, const Bytes& bytes) {
  const auto own = std::as_bytes(std::span(&trailer, 1));
  return std::ranges::equal(trailer.bytes(), bytes) && is_inside(trailer.bytes(), own);
}

}  // namespace

TEST_CASE("a trailer that wasn't made of anything has no bytes") {
  const Trailer trailer;
  CHECK(trailer.bytes().empty());
}

TEST_CASE("a trailer has the writer's bytes and needs nothing of what it was made from") {
  for (const std::uint64_t payload_size : {std::uint64_t{5}, UINT64_MAX}) {
    std::optional<std::vector<DevicePair>> map = reference::pairs(7);
    AutogradMetadata metadata = reference::fields_of(gradtail::detail::all_fields, *map);
    const Bytes expected = reference::trailer_of(metadata, payload_size);
    const auto trailer = Trailer::make(metadata, payload_size);
    REQUIRE(trailer);
    std::ranges::fill(*map, DevicePair{});
    map.reset();
    metadata = {};
    CHECK(holds(*trailer, expected));
  }
}

TEST_CASE("copies and moved-to trailers have the bytes in themselves, of any size") {
  const auto map = reference::pairs(128);
  const AutogradMetadata metadata = reference::fields_of(gradtail::detail::all_fields, map);
  const Bytes large = reference::trailer_of(metadata, 1);
  const Bytes small = reference::trailer_of({}, 2);
  auto made = Trailer::make(metadata, 1);
  REQUIRE(made);
  Trailer copy = *made;
  CHECK(holds(copy, large));
  copy = Trailer::make({}, 2).value();
  CHECK(holds(copy, small));
  CHECK(holds(*made, large));
  copy = *made;
  made = Trailer::make({}, 2);
  CHECK(holds(copy, large));
  std::vector<Trailer> several(3, copy);
  several.insert(several.begin(), *made);
  CHECK(holds(several.front(), small));
  CHECK(holds(several.back(), large));
}

TEST_CASE("what the schema doesn't allow is refused, with the field and the payload's size") {
  for (const auto& [field, metadata] : reference::invalid_metadata()) {
    const auto trailer = Trailer::make(metadata, 4321);
    REQUIRE(!trailer);
    CHECK(trailer.error() == Error{Code::invalid, Check::values, field, 4321});
  }
}
