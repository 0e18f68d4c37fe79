// SPDX-License-Identifier: Apache-2.0
// What RPC layers need next to a view: owned metadata, inverse maps, required fields, texts.
#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <unordered_set>
#include <utility>
#include <vector>

#include "gradtail/format.hpp"
#include "gradtail/open.hpp"
#include "gradtail/owned_metadata.hpp"
#include "gradtail/require.hpp"
#include "printing.hpp"
#include "reference.hpp"

using gradtail::AutogradMetadata;
using gradtail::Check;
using gradtail::Code;
using gradtail::Device;
using gradtail::DevicePair;
using gradtail::Error;
using gradtail::Field;
using gradtail::OwnedMetadata;

template <class T>
concept GivesMetadata = requires(T&& owned) {
  std::forward<T>(owned).metadata();
};

Field next(Field field) { return static_cast<Field>(static_cast<int>(field) + 1); }

TEST_CASE("owned metadata outlives the message, copies and moves of itself") {
  std::optional<OwnedMetadata> copy;
  OwnedMetadata moved;
  CHECK(moved.metadata() == AutogradMetadata{});
  {
    reference::Bytes message = reference::message_of(3, reference::full);
    OwnedMetadata owned(gradtail::open(message).value().metadata());
    std::ranges::fill(message, std::byte{0xEE});
    CHECK(owned.metadata() == reference::full);
    copy = owned;
    CHECK(*copy == owned);
    CHECK(copy->metadata().device_map.data() != owned.metadata().device_map.data());
    moved = std::move(owned);
  }
  CHECK(copy->metadata() == reference::full);
  CHECK(moved.metadata() == reference::full);
  CHECK(OwnedMetadata(reference::forward) != moved);
  static_assert(GivesMetadata<OwnedMetadata&> && !GivesMetadata<OwnedMetadata>);
}

TEST_CASE("an inverse map turns every pair around, ascends and can be sent") {
  const std::vector<DevicePair> map = {{{0, -1}, {1, 3}}, {{1, 0}, {1, 1}}, {{1, 1}, {0, -1}}};
  const std::vector<DevicePair> expected = {{{0, -1}, {1, 1}}, {{1, 1}, {1, 0}}, {{1, 3}, {0, -1}}};
  CHECK(gradtail::inverse(map) == expected);
  CHECK(gradtail::inverse(gradtail::inverse(map)) == map);
  CHECK(gradtail::inverse({}).empty());
}

TEST_CASE("a required field that is absent is an error of its own") {
  const AutogradMetadata none;
  const Field fields[] = {Field::context_id,     Field::message_id,
                          Field::from_worker_id, Field::device_map_size,
                          Field::retain_graph,   Field::rref_created_on,
                          Field::rref_local_id,  Field::wrapped_message_type};
  for (const Field field : fields) {
    CHECK(gradtail::require_fields(reference::full, {field}) == std::nullopt);
    CHECK(gradtail::require_fields(none, {field}) == Error{Code::invalid, Check::presence, field});
  }
  CHECK(gradtail::require_fields(none, {}) == std::nullopt);
  CHECK(gradtail::require_fields(none, {Field::rref_local_id, Field::context_id})->field ==
        Field::rref_local_id);
  const auto error =
      gradtail::require_fields({.context_id = 0}, {Field::context_id, Field::message_id});
  REQUIRE(error);
  CHECK(to_string(*error) == "invalid: message_id is required, but absent");
  CHECK(to_string(Check::presence) == "presence");
}

TEST_CASE("every field of an error about the device map stands for the map, and no other does") {
  AutogradMetadata all_but_the_map = reference::full;
  all_but_the_map.device_map = {};
  const AutogradMetadata map{.device_map = reference::two_pairs};
  for (Field field = Field::none; field <= Field::wrapped_message_type; field = next(field)) {
    CAPTURE(std::string(to_string(field)));
    const bool is_of_map = field >= Field::device_map_size && field <= Field::device_map_target;
    const bool is_of_id = field == Field::id_worker || field == Field::id_counter;
    CHECK(gradtail::is_present(map, field) == is_of_map);
    CHECK(gradtail::is_present(all_but_the_map, field) ==
          (!is_of_map && !is_of_id && field != Field::none));
  }
}

TEST_CASE("texts go to streams, and to std::format where it exists") {
  std::ostringstream out;
  const Error error{Code::corrupt, Check::checksum, Field::none, 56};
  out << Device{1, 0} << " | " << Code::absent << ", " << Check::values << ", " << Field::context_id
      << " | " << error << " | " << AutogradMetadata{.context_id = 5};
  CHECK(out.str() == "cuda:0 | absent, values, context_id | " + to_string(error) + " | " +
                         to_string(AutogradMetadata{.context_id = 5}));
#ifdef __cpp_lib_format
  CHECK(std::format("{:>8}|{}|{}", Device{1, 0}, Code::absent, error) ==
        "  cuda:0|absent|" + to_string(error));
  CHECK(std::format("{:.3} {}", Check::values, Field::context_id) == "val context_id");
  CHECK(std::format("{}", AutogradMetadata{.context_id = 5}) ==
        to_string(AutogradMetadata{.context_id = 5}));
#endif
}

TEST_CASE("devices are keys, and different ones hash differently") {
  std::unordered_set<std::size_t> hashes;
  for (int type = 0; type < 64; ++type) {
    for (int index = -1; index < 128; ++index) {
      hashes.insert(
          std::hash<Device>{}({static_cast<std::int8_t>(type), static_cast<std::int8_t>(index)}));
    }
  }
  CHECK(hashes.size() == 64 * 129);
}

#ifdef __cpp_lib_expected
TEST_CASE("a result becomes the standard's type") {
  const gradtail::Result<int> good(7);
  CHECK(good.to_expected() == 7);
  const Error error{Code::absent, Check::magic};
  CHECK(gradtail::Result<int>(error).to_expected().error() == error);
}
#endif
