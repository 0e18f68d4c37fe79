// SPDX-License-Identifier: Apache-2.0
// Values that the schema doesn't allow are refused by writer and reader, with field and place.

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <type_traits>

#include "gradtail/open.hpp"
#include "gradtail/write.hpp"
#include "layout.hpp"
#include "poke.hpp"
#include "printing.hpp"

using gradtail::AutogradMetadata;
using gradtail::Check;
using gradtail::Code;
using gradtail::DevicePair;
using gradtail::Error;
using gradtail::Field;
using gradtail::detail::DeviceMap;
using gradtail::detail::Either;
using gradtail::detail::for_each_field;
using gradtail::detail::layout_of;
using gradtail::detail::ScalarField;
using gradtail::detail::slot_of_vt;
using Map = std::vector<DevicePair>;

namespace {

constexpr std::size_t payload_size = 21;
constexpr unsigned bool_slot = slot_of_vt(gradtail::fbs::AutogradMetadata::VT_RETAIN_GRAPH);
constexpr gradtail::detail::FieldSet sets_with_map[] = {reference::map_only, reference::mapped_set,
                                                        gradtail::detail::all_fields};

void check_refused_by_writer(const AutogradMetadata& metadata, Field field) {
  reference::Bytes room(4096, std::byte{0xEE});
  const auto size = gradtail::write_trailer(room, metadata, payload_size);
  REQUIRE(!size);
  CHECK(size.error() == Error{Code::invalid, Check::values, field, payload_size});
  CHECK(std::ranges::count(room, std::byte{0xEE}) == 4096);
}

void check_refused_by_reader(const AutogradMetadata& metadata, Field field, std::size_t at) {
  const reference::Bytes message = reference::message_of(payload_size, metadata);
  aligned_and_misaligned(message, [&](auto bytes) {
    const auto opened = gradtail::open(bytes);
    REQUIRE(!opened);
    CHECK(opened.error() == Error{Code::invalid, Check::values, field, payload_size + at});
  });
}

void check_accepted(const AutogradMetadata& metadata) {
  const reference::Bytes message = reference::message_of(payload_size, metadata);
  aligned_and_misaligned(message, [&](auto bytes) {
    const auto opened = gradtail::open(bytes);
    REQUIRE(opened);
    CHECK(opened->metadata() == metadata);
  });
  reference::Bytes room(gradtail::max_trailer_size);
  CHECK(gradtail::write_trailer(room, metadata, payload_size));
}

}  // namespace

TEST_CASE("scalars out of range are refused on both sides, in every set of fields") {
  const auto check = []<class F>(const F& f) {
    using T = decltype(F::absent);
    using Range = std::numeric_limits<T>;
    if constexpr (!std::is_same_v<T, bool>) {
      std::vector<T> refused;
      std::vector<T> accepted{f.lowest, f.highest, f.absent};
      for (const T value :
           {Range::min(), static_cast<T>(f.lowest - 2), static_cast<T>(f.lowest - 1),
            static_cast<T>(f.highest + T{f.highest != Range::max()}), Range::max()}) {
        (f.allows(value) ? accepted : refused).push_back(value);
      }
      if (!refused.empty()) CHECK(f.error != Field::none);
      for (const auto set : reference::all_sets) {
        const auto with = set | gradtail::detail::FieldSet{1} << f.slot;
        AutogradMetadata metadata = reference::fields_of(with, reference::two_pairs);
        for (const T value : refused) {
          metadata.*f.member = value;
          check_refused_by_writer(metadata, f.error);
          check_refused_by_reader(metadata, f.error, layout_of(with, 2).at[f.slot]);
        }
      }
      for (const T value : accepted) {
        AutogradMetadata metadata;
        metadata.*f.member = value;
        check_accepted(metadata);
      }
    }
  };
  for_each_field(Either{[&](const ScalarField auto& f) { check(f); }, [](const DeviceMap&) {}});
}

TEST_CASE("a bool of neither 0 nor 1 is refused, in every set of fields") {
  for (const auto set : reference::all_sets) {
    const auto with_bool = set | 1U << bool_slot;
    const AutogradMetadata metadata = reference::fields_of(with_bool, reference::two_pairs);
    const std::size_t at = payload_size + layout_of(with_bool, 2).at[bool_slot];
    reference::Bytes message = reference::message_of(payload_size, metadata);
    for (const std::uint32_t value : {2U, 3U, 128U, 255U}) {
      poke(message, at, value, 1);
      reference::mend_checksum(message);
      CHECK(gradtail::open(message).error() ==
            Error{Code::invalid, Check::values, Field::retain_graph, at});
    }
    poke(message, at, 0, 1);  // a stored default reads as absent
    reference::mend_checksum(message);
    CHECK_FALSE(gradtail::open(message).value().metadata().retain_graph);
  }
}

TEST_CASE("device maps that can't be used are refused on both sides") {
  struct Row {
    const char* name;
    Map map;
    Field field;
    std::size_t pair;
  };
  const Map ok = reference::pairs(4);
  const auto with = [&](std::size_t i, DevicePair pair) {
    Map map = ok;
    map[i] = pair;
    return map;
  };
  for (const Row& row : {
           Row{"source type 64", with(3, {{64, 0}, {9, 9}}), Field::device_map_type, 3},
           Row{"source type 127", with(3, {{127, 0}, {9, 9}}), Field::device_map_type, 3},
           Row{"source type -1", with(0, {{-1, 0}, {9, 9}}), Field::device_map_type, 0},
           Row{"target type 64", with(1, {{0, 0}, {64, 0}}), Field::device_map_type, 1},
           Row{"target type -128", with(1, {{0, 0}, {-128, 0}}), Field::device_map_type, 1},
           Row{"source index -2", with(0, {{0, -2}, {9, 9}}), Field::device_map_index, 0},
           Row{"source index -128", with(0, {{0, -128}, {9, 9}}), Field::device_map_index, 0},
           Row{"target index -2", with(2, {{0, 1}, {9, -2}}), Field::device_map_index, 2},
           Row{"the same source twice", with(1, {{0, -1}, {9, 9}}), Field::device_map_source, 1},
           Row{"the same target twice", with(3, {{9, 9}, {62, 127}}), Field::device_map_target, 3},
       }) {
    CAPTURE(std::string(row.name));
    for (const auto set : sets_with_map) {
      const AutogradMetadata metadata = reference::fields_of(set, row.map);
      check_refused_by_writer(metadata, row.field);
      check_refused_by_reader(metadata, row.field, layout_of(set, 4).map + 4 + 4 * row.pair);
    }
  }
}

TEST_CASE("sources that don't ascend are refused by the reader and sorted by the writer") {
  for (const std::size_t count : std::array<std::size_t, 3>{2, 3, 128}) {
    Map map = reference::pairs(count);
    std::swap(map[count - 2], map[count - 1]);
    const AutogradMetadata metadata = reference::fields_of(reference::mapped_set, map);
    check_refused_by_reader(metadata, Field::device_map_source,
                            layout_of(reference::mapped_set, count).map + 4 * count);
    reference::Bytes room(gradtail::max_trailer_size);
    CHECK(gradtail::write_trailer(room, metadata, payload_size));
  }
  // Signed numbers: index -1 is before 0, type counts before index.
  check_accepted(reference::fields_of(
      reference::mapped_set,
      Map{{{0, -1}, {0, 0}}, {{0, 0}, {0, 1}}, {{0, 127}, {0, 2}}, {{1, -1}, {0, -1}}}));
}

TEST_CASE("the writer takes pairs in any order, and finds what is wrong with them") {
  for (const std::size_t count : std::array<std::size_t, 3>{3, 127, 128}) {
    Map map = reference::pairs(count);
    std::ranges::reverse(map);
    for (const auto set : sets_with_map) {
      AutogradMetadata metadata = reference::fields_of(set, map);
      reference::Bytes room(gradtail::trailer_size(metadata) - 1);
      CHECK(gradtail::write_trailer(room, metadata, 3).error().code == Code::no_space);
      Map twice = map;
      twice.front().target = twice.back().target;
      metadata.device_map = twice;
      check_refused_by_writer(metadata, Field::device_map_target);
    }
  }
}

TEST_CASE("129 device pairs are refused, 128 are not") {
  Map map = reference::pairs(128);
  check_accepted(reference::fields_of(reference::mapped_set, map));
  check_accepted(reference::fields_of(gradtail::detail::all_fields, map));
  map.push_back({{63, 127}, {0, -1}});
  for (const auto set : sets_with_map) {
    const AutogradMetadata metadata = reference::fields_of(set, map);
    check_refused_by_writer(metadata, Field::device_map_size);
    check_refused_by_reader(metadata, Field::device_map_size, layout_of(set, 129).map);
  }
  const Map many(100000);
  check_refused_by_writer({.device_map = many}, Field::device_map_size);
}

TEST_CASE("every target is told from every other") {
  for (int i = 0; i < 64 * 129; i += 128) {
    Map map;
    for (int k = i; k < std::min(i + 128, 64 * 129); ++k) {
      const gradtail::Device device{static_cast<std::int8_t>(k / 129),
                                    static_cast<std::int8_t>(k % 129 - 1)};
      map.push_back({device, device});
    }
    check_accepted({.device_map = map});
    map.back().target = map.front().target;
    check_refused_by_writer({.device_map = map}, Field::device_map_target);
  }
}

TEST_CASE("of several bad values the first by field id is reported") {
  const Map bad_map{{{0, 0}, {64, 0}}};
  AutogradMetadata metadata{.context_id = -2,
                            .message_id = -2,
                            .from_worker_id = -2,
                            .device_map = bad_map,
                            .retain_graph = true,
                            .rref_created_on = -2,
                            .rref_local_id = -2};
  const auto reported = [&] {
    reference::Bytes message = reference::message_of(payload_size, metadata);
    if (metadata.retain_graph) {
      const auto layout = layout_of(gradtail::detail::present_fields(metadata), 1);
      poke(message, payload_size + layout.at[bool_slot], 2, 1);
      reference::mend_checksum(message);
    }
    return gradtail::open(message).error().field;
  };
  CHECK(reported() == Field::context_id);
  metadata.context_id = 1;
  CHECK(reported() == Field::message_id);
  metadata.message_id = 1;
  CHECK(reported() == Field::from_worker_id);
  metadata.from_worker_id = 1;
  CHECK(reported() == Field::device_map_type);
  metadata.device_map = {};
  CHECK(reported() == Field::retain_graph);
  metadata.retain_graph = false;
  CHECK(reported() == Field::rref_created_on);
  check_refused_by_writer(metadata, Field::rref_created_on);
  metadata.rref_created_on = 1;
  CHECK(reported() == Field::rref_local_id);
  check_refused_by_writer(metadata, Field::rref_local_id);
}
