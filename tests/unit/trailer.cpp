// SPDX-License-Identifier: Apache-2.0
// A trailer as a value of its own: the writer's bytes, which every copy keeps for itself.
#include "gradtail/trailer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
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
using reference::Bytes;

namespace {

bool holds(const Trailer& trailer, const Bytes& bytes) {
  const auto own = std::as_bytes(std::span(&trailer, 1));
  return std::ranges::equal(trailer.bytes(), bytes) && trailer.bytes().data() >= own.data() &&
         trailer.bytes().data() + bytes.size() <= own.data() + own.size();
}

}  // namespace

TEST_CASE("a trailer's bytes are those that the writer writes, for every set of fields") {
  for (const std::size_t count : std::array<std::size_t, 4>{1, 2, 8, 128}) {
    const std::vector<DevicePair> map = reference::pairs(count);
    for (const auto set : reference::all_sets) {
      const AutogradMetadata metadata = reference::fields_of(set, map);
      for (const std::uint64_t payload_size :
           {std::uint64_t{0}, std::uint64_t{77}, ~std::uint64_t{0}}) {
        const auto trailer = Trailer::make(metadata, payload_size);
        REQUIRE(trailer);
        Bytes written(gradtail::trailer_size(metadata));
        REQUIRE(gradtail::write_trailer(written, metadata, payload_size));
        CHECK(holds(*trailer, written));
      }
    }
  }
}

TEST_CASE("a trailer that wasn't made of anything has no bytes") {
  const Trailer trailer;
  CHECK(trailer.bytes().empty());
}

TEST_CASE("a trailer needs nothing of what it was made from") {
  std::optional<std::vector<DevicePair>> map = reference::pairs(7);
  AutogradMetadata metadata = reference::fields_of(gradtail::detail::all_fields, *map);
  const Bytes expected = reference::trailer_of(metadata, 5);
  const auto trailer = Trailer::make(metadata, 5);
  REQUIRE(trailer);
  std::ranges::fill(*map, DevicePair{});
  map.reset();
  metadata = {};
  CHECK(holds(*trailer, expected));
}

TEST_CASE("copies and moved-to trailers have the bytes in themselves, of any size") {
  const std::vector<DevicePair> map = reference::pairs(128);
  const Bytes large =
      reference::trailer_of(reference::fields_of(gradtail::detail::all_fields, map), 1);
  const Bytes small = reference::trailer_of({}, 2);
  auto made = Trailer::make(reference::fields_of(gradtail::detail::all_fields, map), 1);
  REQUIRE(made);
  Trailer copy = *made;
  CHECK(holds(copy, large));
  CHECK(holds(*made, large));
  copy = Trailer::make({}, 2).value();
  CHECK(holds(copy, small));
  CHECK(holds(*made, large));
  copy = *made;
  const Trailer another = copy;
  made = Trailer::make({}, 2);
  CHECK(holds(copy, large));
  CHECK(holds(another, large));
  CHECK(holds(*made, small));
  std::vector<Trailer> several(3, another);
  several.insert(several.begin(), *made);
  CHECK(holds(several.front(), small));
  CHECK(holds(several.back(), large));
}

TEST_CASE("what the schema doesn't allow is refused, with the field and the payload's size") {
  using Map = std::vector<DevicePair>;
  const Map types = {{{0, 0}, {64, 0}}};
  const Map indices = {{{0, -2}, {0, 0}}};
  const Map sources = {{{0, 0}, {0, 0}}, {{0, 0}, {0, 1}}};
  const Map targets = {{{0, 0}, {0, 0}}, {{0, 1}, {0, 0}}};
  const Map many(129);
  const std::pair<Field, AutogradMetadata> rows[] = {
      {Field::context_id, {.context_id = -2}},
      {Field::message_id, {.message_id = INT64_MIN}},
      {Field::from_worker_id, {.from_worker_id = -2}},
      {Field::device_map_size, {.device_map = many}},
      {Field::device_map_type, {.device_map = types}},
      {Field::device_map_index, {.device_map = indices}},
      {Field::device_map_source, {.device_map = sources}},
      {Field::device_map_target, {.device_map = targets}},
      {Field::rref_created_on, {.rref_created_on = INT32_MIN}},
      {Field::rref_local_id, {.rref_local_id = -2}},
  };
  for (const auto& [field, metadata] : rows) {
    const auto trailer = Trailer::make(metadata, 4321);
    REQUIRE(!trailer);
    CHECK(trailer.error() == Error{Code::invalid, Check::values, field, 4321});
  }
}
