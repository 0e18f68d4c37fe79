// SPDX-License-Identifier: Apache-2.0
// Tables of other layouts than ours: every valid one is read, every invalid one is refused.
#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>

#include "autograd_metadata_generated.h"
#include "gradtail/open.hpp"
#include "poke.hpp"
#include "printing.hpp"

namespace fbs = gradtail::fbs;
using gradtail::AutogradMetadata;
using gradtail::Check;
using gradtail::Code;
using gradtail::Error;
using gradtail::Field;
using namespace gradtail::detail;  // NOLINT: the table of fields
using reference::Bytes;

namespace {

/// The table that the builder has begun, with our identifier.
Bytes finish(flatbuffers::FlatBufferBuilder& builder, flatbuffers::uoffset_t start) {
  builder.Finish(flatbuffers::Offset<fbs::AutogradMetadata>(builder.EndTable(start)), "AGMD");
  const auto* bytes = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
  return {bytes, bytes + builder.GetSize()};
}

/// A table built field by field, in the order given.
Bytes build(const AutogradMetadata& m, std::span<const unsigned> order, bool force_defaults) {
  flatbuffers::FlatBufferBuilder builder;
  builder.ForceDefaults(force_defaults);
  const auto* pairs = reinterpret_cast<const fbs::DevicePair*>(m.device_map.data());
  const auto map = builder.CreateVectorOfStructs(pairs, m.device_map.size());
  const auto start = builder.StartTable();
  for (const unsigned slot : order) {
    const auto vt = static_cast<flatbuffers::voffset_t>(4 + 2 * slot);
    const auto add_scalar = [&](const ScalarField auto& f) {
      using Wire = typename std::decay_t<decltype(f)>::Wire;
      if (f.slot == slot) builder.AddElement<Wire>(vt, f.wire(m), static_cast<Wire>(f.absent));
    };
    const auto add_map = [&](const DeviceMap& f) {
      if (f.slot == slot) builder.AddOffset(vt, map);
    };
    for_each_field(Either{add_scalar, add_map});
  }
  return finish(builder, start);
}

std::vector<unsigned> all_slots() {
  std::vector<unsigned> slots(field_count);
  std::iota(slots.begin(), slots.end(), 0U);
  return slots;
}

void check_reads(const Bytes& message, const AutogradMetadata& expected) {
  aligned_and_misaligned(message, [&](auto bytes) {
    const auto opened = gradtail::open(bytes);
    REQUIRE(opened);
    CHECK(opened->metadata() == expected);
  });
}

/// Where things are in the table of every field.
constexpr Layout full = layout_of(all_fields, 2);

/// The position of a field's slot in that table's vtable.
constexpr std::size_t slot_at(unsigned id) { return full.vtable + 4 + 2 * std::size_t{id}; }

/// A change to that table: `size` bytes at `at`.
struct Change {
  const char* name;
  std::size_t at;
  std::uint64_t value;
  std::size_t size;
};

/// The message of every field, changed, with a checksum that holds.
Bytes changed(const Change& change) {
  Bytes message = reference::message_of(24, reference::full);
  poke(message, 24 + change.at, change.value, change.size);
  reference::mend_checksum(message);
  return message;
}

}  // namespace

TEST_CASE("tables built in any order of fields are read") {
  std::vector<unsigned> order = all_slots();
  for (const auto set : reference::all_sets) {
    const AutogradMetadata metadata = reference::fields_of(set, reference::two_pairs);
    for (int round = 0; round < 8; ++round) {
      std::rotate(order.begin(), order.begin() + 1 + round % 3, order.end());
      if (round % 2 != 0) std::ranges::reverse(order);
      for (const bool force_defaults : {false, true}) {
        check_reads(reference::trailer_around(build(metadata, order, force_defaults), 0), metadata);
      }
    }
  }
}

TEST_CASE("stored defaults and a stored empty map read as absent") {
  const Bytes message = reference::trailer_around(build({}, all_slots(), true), 0);
  CHECK(message.size() > 88);
  check_reads(message, {});
}

TEST_CASE("invalid layouts are refused as such, at the table") {
  const std::size_t map_offset = full.at[DeviceMap::slot];
  std::vector<Change> changes = {
      {"root offset 0", 0, 0, 4},
      {"root offset past the end", 0, full.size, 4},
      {"root table's first word past the end", 0, full.size - 2, 4},
      {"root offset not a multiple of 4", 0, 30, 4},
      {"root offset of 2 GiB", 0, 0x80000000, 4},
      {"root offset of 4 GiB - 1", 0, 0xFFFFFFFF, 4},
      {"vtable before the buffer", full.root, 1000, 4},
      {"vtable behind the buffer", full.root, 0xFFFFFC00, 4},
      {"vtable at an odd place", full.root, 21, 4},
      {"vtable's distance is the lowest number", full.root, 0x80000000, 4},
      {"vtable size odd", full.vtable, 19, 2},
      {"vtable size past the end", full.vtable, 0xFFFE, 2},
      {"map offset 0", map_offset, 0, 4},
      {"map offset past the end", map_offset, full.size, 4},
      {"map offset not a multiple of 4", map_offset, full.map - map_offset + 1, 4},
      {"map offset 2 GiB", map_offset, 0x80000000, 4},
      {"map offset 4 GiB - 4", map_offset, 0xFFFFFFFC, 4},
      {"map one pair too long", full.map, 3, 4},
      {"map of 2^30 pairs", full.map, 0x40000000, 4},
      {"map of 2^30 + 1 pairs, whose bytes wrap to 4", full.map, 0x40000001, 4},
      {"map of 2^32 - 1 pairs", full.map, 0xFFFFFFFF, 4},
  };
  for_each_field([&](const auto& f) {
    const std::size_t place = full.at[f.slot] - full.root;
    changes.push_back({"field past the end", slot_at(f.slot), full.size - full.root, 2});
    changes.push_back({"field at 65535", slot_at(f.slot), 0xFFFF, 2});
    if (f.size != 1)
      changes.push_back({"field misaligned", slot_at(f.slot), place + f.size / 2, 2});
  });
  for (const Change& change : changes) {
    CAPTURE(std::string(change.name));
    aligned_and_misaligned(changed(change), [](auto bytes) {
      const auto opened = gradtail::open(bytes);
      REQUIRE(!opened);
      CHECK(opened.error() == Error{Code::invalid, Check::layout, Field::none, 24});
    });
  }
}

TEST_CASE("a vtable may be behind its table, but not at an odd place") {
  for (const std::size_t gap : std::array<std::size_t, 4>{0, 1, 2, 3}) {
    Bytes table = reference::table_of(reference::full);
    const std::size_t at = table.size() + gap;
    table.resize(at + 40);
    std::copy_n(table.begin() + static_cast<std::ptrdiff_t>(full.vtable), full.vtable_size,
                table.begin() + static_cast<std::ptrdiff_t>(at));
    poke(table, full.root, full.root - at, 4);
    const Bytes trailer = reference::trailer_around(table, 0);
    const auto opened = gradtail::open_trailer(trailer, 0);
    REQUIRE(opened.has_value() == (gap % 2 == 0));
    if (!opened) CHECK(opened.error().check == Check::layout);
  }
}

TEST_CASE("what the rules leave open is accepted") {
  AutogradMetadata expected = reference::full;
  check_reads(changed({"object size 65535", full.vtable + 2, 0xFFFF, 2}), expected);
  expected.message_id = expected.context_id;
  const std::size_t place = full.at[slot_of_vt(Fbs::VT_CONTEXT_ID)] - full.root;
  check_reads(changed({"two slots, one place", slot_at(slot_of_vt(Fbs::VT_MESSAGE_ID)), place, 2}),
              expected);
  expected = {.context_id = reference::full.context_id};
  check_reads(changed({"an older writer's vtable", full.vtable, 6, 2}), expected);
  for (const std::uint32_t size : {0U, 2U, 4U}) {
    check_reads(changed({"a vtable without slots", full.vtable, size, 2}), {});
  }
  expected = reference::full;
  expected.device_map = {};
  check_reads(changed({"a stored empty map", full.map, 0, 4}), expected);
}

TEST_CASE("a map that is shorter than its room has the length that it says") {
  for (const std::size_t count : std::array<std::size_t, 4>{2, 3, 8, 9}) {
    const auto map = reference::pairs(count);
    Bytes message = reference::message_of(7, reference::fields_of(reference::mapped_set, map));
    poke(message, 7 + layout_of(reference::mapped_set, count).map, count - 1, 4);
    reference::mend_checksum(message);
    check_reads(message,
                reference::fields_of(reference::mapped_set, std::span(map).first(count - 1)));
  }
}

TEST_CASE("fields of a newer sender are told from those of this version, for every set of these") {
  for (const auto set : reference::all_sets) {
    const Bytes message = reference::message_of(5, reference::fields_of(set, reference::two_pairs));
    CHECK_FALSE(gradtail::open(message).value().has_unknown_fields());
  }
  CHECK_FALSE(gradtail::TrailerView().has_unknown_fields());
  for (const unsigned slot : {unsigned{field_count}, unsigned{field_count} + 1, 112U}) {
    flatbuffers::FlatBufferBuilder builder;
    const auto start = builder.StartTable();
    builder.AddElement<std::int64_t>(fbs::AutogradMetadata::VT_CONTEXT_ID, 7, -1);
    builder.AddElement<std::uint32_t>(static_cast<flatbuffers::voffset_t>(4 + 2 * slot), 9, 0);
    Bytes trailer = reference::trailer_around(finish(builder, start), 0);
    const auto opened = gradtail::open_trailer(trailer, 0);
    REQUIRE(opened);
    CHECK(opened->has_unknown_fields());
    CHECK(opened->metadata().context_id == 7);
    // Only what is in the slots says so: any bit of one, and none of the slots that are empty.
    const std::size_t root = load<std::uint32_t>(trailer.data());
    const std::size_t at = root - load<std::uint32_t>(&trailer[root]) + 4 + 2 * std::size_t{slot};
    poke(trailer, at, 0x8000, 2);
    CHECK(opened->has_unknown_fields());
    poke(trailer, at, 0, 2);
    CHECK_FALSE(opened->has_unknown_fields());
    poke(trailer, at, 1, 2);
    poke(trailer, 0, 0xFFFFFFFF, 4);  // a peer has written on: any answer, but no other access
    CHECK_FALSE(opened->has_unknown_fields());
  }
}
