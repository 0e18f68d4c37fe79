// SPDX-License-Identifier: Apache-2.0
// The fast way to read, by itself: it takes what our writer writes, and nothing that is damaged.
#include "known_layout.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <limits>

#include "general_layout.hpp"
#include "guarded_memory.hpp"
#include "poke.hpp"
#include "printing.hpp"

using gradtail::AutogradMetadata;
using gradtail::DevicePair;
using gradtail::TrailerView;
using gradtail::detail::HardwareCrc;
using gradtail::detail::has_crc_instruction;
using gradtail::detail::Layout;
using gradtail::detail::layout_of;
using gradtail::detail::PortableCrc;
using gradtail::detail::present_fields;
using gradtail::detail::read_known;
using gradtail::detail::Slot;
using gradtail::detail::Tail;
using reference::Bytes;

namespace {

constexpr std::size_t payload_size = 9;
constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

/// The metadata of each set of fields that is known, with maps of both alignments.
std::vector<AutogradMetadata> known_metadata(std::span<const DevicePair> map) {
  using namespace gradtail::detail;
  std::vector<AutogradMetadata> all;
  for (const FieldSet set :
       {forward_fields, backward_fields, retained_fields, rref_fields, cleanup_fields}) {
    all.push_back(reference::fields_of(set, {}));
  }
  for (std::size_t count = 1; count <= map.size(); ++count) {
    all.push_back(reference::fields_of(mapped_fields, map.first(count)));
  }
  return all;
}

/// Puts the checksum of all these bytes and the payload's size where it belongs, whatever the
/// footer has for a size.
void mend_whole(Bytes& trailer) {
  Bytes summed(trailer.begin(), trailer.end() - 8);
  for (std::size_t i = 0; i < 8; ++i)
    summed.push_back(static_cast<std::byte>(std::uint64_t{payload_size} >> 8 * i));
  poke(trailer, trailer.size() - 8, reference::crc32c(summed), 4);
}

/// What each way of summing makes of it; they agree.
bool reads(const Tail& tail, TrailerView& view) {
  const bool read = read_known<PortableCrc>(tail, view);
  if (has_crc_instruction) {
    TrailerView other;
    CHECK(read_known<HardwareCrc>(tail, other) == read);
    CHECK(other.metadata() == view.metadata());
  }
  if (!read) CHECK(view.trailer().empty());
  return read;
}

bool reads(const Bytes& trailer) {
  TrailerView view;
  return reads({trailer, payload_size, no_limit}, view);
}

/// Whether our writer, or FlatBuffers', makes these bytes of what the general way finds in them.
bool is_canonical(const Bytes& trailer) {
  const auto general = gradtail::detail::read_general(trailer, payload_size);
  return general && reference::trailer_of(*general, payload_size) == trailer;
}

/// The bytes that hold neither a value nor anything about the layout: zeros that needn't be.
std::vector<bool> gaps_of(const AutogradMetadata& m) {
  const Layout layout = layout_of(present_fields(m), m.device_map.size());
  std::vector<bool> gap(layout.size, true);
  const auto used = [&](std::size_t at, std::size_t size) {
    std::fill_n(gap.begin() + static_cast<std::ptrdiff_t>(at), size, false);
  };
  used(0, 8);
  used(layout.vtable, layout.vtable_size);
  used(layout.table, 4);
  const std::size_t sizes[] = {8, 8, 4, 4, 4, 1, 4, 8};
  for (std::size_t id = 0; id < Slot::count; ++id) {
    if (layout.at[id] != 0) used(layout.at[id], sizes[id]);
  }
  if (layout.map != 0) used(layout.map, 4 + 4 * m.device_map.size());
  return gap;
}

}  // namespace

TEST_CASE("the fast way by itself reads known fields behind any payload, and gives their place") {
  const auto map = reference::pairs(128);
  for (const AutogradMetadata& metadata : known_metadata(map)) {
    const Bytes trailer = reference::trailer_of(metadata, payload_size);
    for (std::size_t here = 0; here <= payload_size; ++here) {
      Bytes bytes = reference::payload_of(here);
      bytes.insert(bytes.end(), trailer.begin(), trailer.end());
      TrailerView view;
      REQUIRE(reads({bytes, payload_size - here, no_limit}, view));
      CHECK(view.metadata() == metadata);
      CHECK(view.trailer().data() == bytes.data() + here);
      CHECK(view.trailer().size() == trailer.size());
      view = {};
      CHECK_FALSE(reads({bytes, payload_size - here + 1, no_limit}, view));
    }
  }
}

TEST_CASE("the fast way by itself reads the largest and the smallest values") {
  AutogradMetadata least{.context_id = 0,
                         .message_id = 0,
                         .from_worker_id = 0,
                         .wrapped_message_type = 1,
                         .device_map = {}};
  AutogradMetadata most{.context_id = INT64_MAX,
                        .message_id = INT64_MAX,
                        .from_worker_id = INT32_MAX,
                        .wrapped_message_type = UINT32_MAX,
                        .device_map = {}};
  CHECK(reads(reference::trailer_of(least, payload_size)));
  CHECK(reads(reference::trailer_of(most, payload_size)));
  least.device_map = reference::two_pairs;
  most.device_map = reference::two_pairs;
  CHECK(reads(reference::trailer_of(least, payload_size)));
  CHECK(reads(reference::trailer_of(most, payload_size)));
  CHECK(reads(reference::trailer_of({.context_id = 0, .rref_created_on = 0, .rref_local_id = 0},
                                    payload_size)));
  CHECK(reads(reference::trailer_of(
      {.context_id = 0, .rref_created_on = INT32_MAX, .rref_local_id = INT64_MAX}, payload_size)));
}

TEST_CASE("the fast way by itself keeps the limit, to the byte") {
  const auto map = reference::pairs(5);
  for (const AutogradMetadata& metadata : known_metadata(map)) {
    Bytes message = reference::message_of(payload_size, metadata);
    const std::size_t size = message.size() - payload_size;
    TrailerView view;
    for (const std::size_t limit : {std::size_t{0}, std::size_t{16}, size - 8, size - 1}) {
      CHECK_FALSE(reads({message, 0, limit}, view));
    }
    CHECK(reads({message, 0, size}, view));
  }
}

TEST_CASE("the fast way by itself declines bytes that are cut short, and reads none before them") {
  const guarded::Fenced fenced;
  const auto map = reference::pairs(5);
  for (const AutogradMetadata& metadata : known_metadata(map)) {
    const Bytes trailer = reference::trailer_of(metadata, payload_size);
    for (std::size_t size = 0; size < trailer.size(); ++size) {
      const auto bytes = fenced.front(size);
      std::copy(trailer.end() - static_cast<std::ptrdiff_t>(size), trailer.end(), bytes.begin());
      TrailerView view;
      CHECK_FALSE(reads({bytes, payload_size + trailer.size() - size, no_limit}, view));
    }
  }
}

TEST_CASE("of all 1-bit changes with a checksum that holds the fast way takes only new values") {
  const auto map = reference::pairs(5);
  for (const AutogradMetadata& metadata : known_metadata(map)) {
    const Bytes trailer = reference::trailer_of(metadata, payload_size);
    const std::vector<bool> gap = gaps_of(metadata);
    for (std::size_t bit = 0; bit < trailer.size() * 8; ++bit) {
      CAPTURE(metadata);
      CAPTURE(bit);
      Bytes changed = trailer;
      changed[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
      CHECK_FALSE(reads(changed));
      mend_whole(changed);
      if (bit / 8 >= trailer.size() - 16) {  // the footer has no bit to spare
        CHECK(reads(changed) == (changed == trailer));
        continue;
      }
      TrailerView view;
      const bool read = reads({changed, payload_size, no_limit}, view);
      const auto general = gradtail::detail::read_general(changed, payload_size);
      if (read) {
        REQUIRE(general);
        CHECK(view.metadata() == *general);
      }
      const bool same_fields = general && present_fields(*general) == present_fields(metadata);
      if (!gap[bit / 8]) CHECK(read == (same_fields && is_canonical(changed)));
    }
  }
}

TEST_CASE("the fast way by itself declines every size that isn't the map's") {
  const auto map = reference::pairs(9);
  for (std::size_t count = 1; count <= map.size(); ++count) {
    const auto metadata =
        reference::fields_of(gradtail::detail::mapped_fields, std::span(map).first(count));
    const Bytes trailer = reference::trailer_of(metadata, payload_size);
    for (std::uint32_t size = 0; size < 700; ++size) {
      if (size == trailer.size()) continue;
      Bytes changed = trailer;
      poke(changed, changed.size() - 16, size, 4);
      mend_whole(changed);
      CHECK_FALSE(reads(changed));
      const Bytes payload = reference::payload_of(payload_size);
      changed.insert(changed.begin(), payload.begin(), payload.end());
      TrailerView view;
      CHECK_FALSE(reads({changed, 0, no_limit}, view));
    }
  }
}

TEST_CASE("the fast way by itself declines values that the schema doesn't allow") {
  const auto declines = [](const AutogradMetadata& metadata) {
    CAPTURE(metadata);
    CHECK_FALSE(reads(reference::trailer_of(metadata, payload_size)));
  };
  const auto with = [](AutogradMetadata metadata, auto member, auto value) {
    metadata.*member = value;
    return metadata;
  };
  for (const std::int64_t value : {std::int64_t{-2}, INT64_MIN}) {
    for (const AutogradMetadata& metadata : {reference::forward, reference::mapped}) {
      declines(with(metadata, &AutogradMetadata::context_id, value));
      declines(with(metadata, &AutogradMetadata::message_id, value));
      declines(with(metadata, &AutogradMetadata::from_worker_id,
                    value == -2 ? std::int32_t{-2} : INT32_MIN));
    }
    declines({.context_id = value});
    declines({.context_id = 1, .message_id = value});
    declines({.context_id = 1, .message_id = value, .retain_graph = true});
    declines({.context_id = 1, .rref_created_on = 1, .rref_local_id = value});
    declines({.context_id = 1,
              .rref_created_on = value == -2 ? std::int32_t{-2} : INT32_MIN,
              .rref_local_id = 1});
  }
}

TEST_CASE("the fast way by itself declines a bool of any other value than the writer's") {
  Bytes trailer = reference::trailer_of(reference::fields_of(gradtail::detail::retained_fields, {}),
                                        payload_size);
  const std::size_t at = layout_of(gradtail::detail::retained_fields, 0).at[Slot::retain_graph];
  for (std::uint32_t value = 0; value < 256; ++value) {
    poke(trailer, at, value, 1);
    mend_whole(trailer);
    CHECK(reads(trailer) == (value == 1));
  }
}

TEST_CASE("the fast way by itself declines device maps that the schema doesn't allow") {
  using Map = std::vector<DevicePair>;
  const Map maps[] = {
      {{{64, 0}, {0, 0}}},
      {{{0, 0}, {-1, 0}}},
      {{{0, -2}, {0, 0}}},
      {{{0, 0}, {0, -128}}},
      {{{0, 0}, {0, 0}}, {{0, 0}, {0, 1}}},
      {{{0, 1}, {0, 0}}, {{0, 0}, {0, 1}}},
      {{{0, 0}, {0, 1}}, {{0, 1}, {0, 1}}},
      reference::pairs(129),
  };
  for (const Map& map : maps) {
    const auto metadata = reference::fields_of(gradtail::detail::mapped_fields, map);
    CHECK_FALSE(reads(reference::trailer_of(metadata, payload_size)));
  }
}
