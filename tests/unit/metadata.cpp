// SPDX-License-Identifier: Apache-2.0
// The metadata value: defaults, equality, text.
#include "gradtail/metadata.hpp"

#include <doctest/doctest.h>

#include "printing.hpp"
#include "reference.hpp"
#include "text.hpp"

using gradtail::AutogradMetadata;
using gradtail::DevicePair;

TEST_CASE("nothing is set by default") {
  const AutogradMetadata none;
  CHECK(none.context_id == -1);
  CHECK(none.message_id == -1);
  CHECK(none.from_worker_id == -1);
  CHECK(none.wrapped_message_type == 0);
  CHECK(none.device_map.empty());
  CHECK_FALSE(none.retain_graph);
  CHECK(none.rref_created_on == -1);
  CHECK(none.rref_local_id == -1);
  CHECK(to_string(none) == "{}");
}

TEST_CASE("metadata is equal where every field is") {
  const std::vector<DevicePair> copy(std::begin(reference::two_pairs),
                                     std::end(reference::two_pairs));
  for (const auto set : reference::all_sets) {
    const AutogradMetadata a = reference::fields_of(set, reference::two_pairs);
    CHECK(a == reference::fields_of(set, copy));
    for (unsigned bit = 0; bit < gradtail::detail::field_count; ++bit) {
      CHECK(a != reference::fields_of(set ^ (1U << bit), reference::two_pairs));
    }
  }
}

TEST_CASE("devices and pairs are equal where type and index are, of source and of target") {
  using gradtail::Device;
  constexpr DevicePair pair{{1, 2}, {3, 4}};
  CHECK(pair == DevicePair{{1, 2}, {3, 4}});
  for (const DevicePair& other : {DevicePair{{0, 2}, {3, 4}}, DevicePair{{1, 0}, {3, 4}},
                                  DevicePair{{1, 2}, {0, 4}}, DevicePair{{1, 2}, {3, 0}}}) {
    CHECK(pair != other);
    CHECK((pair.source == other.source) != (pair.target == other.target));
  }
  CHECK(Device{1, 2} == Device{1, 2});
}

TEST_CASE("text has every field that is set, by name") {
  AutogradMetadata all{.context_id = reference::forward.context_id,
                       .message_id = reference::forward.message_id,
                       .from_worker_id = 1,
                       .wrapped_message_type = 256,
                       .device_map = reference::two_pairs,
                       .retain_graph = true,
                       .rref_created_on = 3,
                       .rref_local_id = 77};
  CHECK(to_string(all) ==
        "{context_id: 281474976710661 (worker 1, counter 5), "
        "message_id: 281474976710665 (worker 1, counter 9), from_worker_id: 1, "
        "wrapped_message_type: 256, device_map: [cpu -> cuda:0, cuda:0 -> cuda:1], "
        "retain_graph: true, rref_created_on: 3, rref_local_id: 77}");
  all = {.context_id = -7};
  CHECK(to_string(all) == "{context_id: -7}");
  all = {.context_id = 0};
  CHECK(to_string(all) == "{context_id: 0 (worker 0, counter 0)}");
  for (const auto set : reference::all_sets) {
    const std::string text = to_string(reference::fields_of(set, reference::two_pairs));
    gradtail::detail::for_each_field([&](const auto& f) {
      const bool has = text.find(std::string(f.name) + ": ") != std::string::npos;
      CHECK(has == ((set >> f.slot & 1) != 0));
    });
  }
}

TEST_CASE("numbers of any size are text, to the last digit") {
  gradtail::detail::Text text;
  text << std::uint64_t{0} << " " << UINT64_MAX << " " << INT64_MIN << " " << INT64_MAX;
  CHECK(text.text == "0 18446744073709551615 -9223372036854775808 9223372036854775807");
}

TEST_CASE("devices have the names that PyTorch gives them") {
  using gradtail::Device;
  CHECK(to_string(Device{0, -1}) == "cpu");
  CHECK(to_string(Device{1, -1}) == "cuda");
  CHECK(to_string(Device{1, 3}) == "cuda:3");
  CHECK(to_string(Device{12, 127}) == "device12:127");
  CHECK(to_string(Device{-128, -128}) == "device-128:-128");
}
