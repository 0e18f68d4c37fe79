// SPDX-License-Identifier: Apache-2.0
// Tables of other layouts than ours: every valid one is read, every invalid one is refused.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <functional>
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
  builder.Finish(flatbuffers::Offset<fbs::AutogradMetadata>(builder.EndTable(start)), "AGMD");
  Bytes table(builder.GetSize());
  std::memcpy(table.data(), builder.GetBufferPointer(), table.size());
  return table;
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

/// The message of every field, changed, with a checksum that holds.
Bytes changed(const std::function<void(Bytes&, const Layout&)>& change) {
  Bytes message = reference::message_of(24, reference::full);
  Bytes table(message.begin() + 24, message.end());
  change(table, layout_of(all_fields, 2));
  std::copy(table.begin(), table.end(), message.begin() + 24);
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
  struct Row {
    const char* name;
    std::function<void(Bytes&, const Layout&)> change;
  };
  const auto slot = [](const Layout& layout, unsigned id) {
    return layout.vtable + 4 + 2 * std::size_t{id};
  };
  const auto root = [](std::uint32_t to) {
    return [to](Bytes& t, const Layout&) { poke(t, 0, to, 4); };
  };
  const auto vtable_at = [](std::uint32_t distance) {
    return [distance](Bytes& t, const Layout& l) { poke(t, l.table, distance, 4); };
  };
  const auto vtable_size = [](std::uint16_t size) {
    return [size](Bytes& t, const Layout& l) { poke(t, l.vtable, size, 2); };
  };
  const auto map_offset = [](std::uint32_t to) {
    return [to](Bytes& t, const Layout& l) { poke(t, l.at[DeviceMap::slot], to, 4); };
  };
  const auto map_size = [](std::uint32_t to) {
    return [to](Bytes& t, const Layout& l) { poke(t, l.map, to, 4); };
  };
  const auto size = static_cast<std::uint32_t>(layout_of(all_fields, 2).size);
  std::vector<Row> rows = {
      {"root offset 0", root(0)},
      {"root offset past the end", root(size)},
      {"root table's first word past the end", root(size - 2)},
      {"root offset not a multiple of 4", root(30)},
      {"root offset of 2 GiB", root(0x80000000)},
      {"root offset of 4 GiB - 1", root(0xFFFFFFFF)},
      {"vtable before the buffer", vtable_at(1000)},
      {"vtable behind the buffer", vtable_at(0xFFFFFC00)},
      {"vtable at an odd place", vtable_at(21)},
      {"vtable's distance is the lowest number", vtable_at(0x80000000)},
      {"vtable size odd", vtable_size(19)},
      {"vtable size past the end", vtable_size(0xFFFE)},
      {"map offset 0", map_offset(0)},
      {"map offset past the end", map_offset(size)},
      {"map offset not a multiple of 4", map_offset(5)},
      {"map offset 2 GiB", map_offset(0x80000000)},
      {"map offset 4 GiB - 4", map_offset(0xFFFFFFFC)},
      {"map one pair too long", map_size(3)},
      {"map of 2^30 pairs", map_size(0x40000000)},
      {"map of 2^30 + 1 pairs, whose bytes wrap to 4", map_size(0x40000001)},
      {"map of 2^32 - 1 pairs", map_size(0xFFFFFFFF)},
  };
  for_each_field([&](const auto& f) {
    const auto id = f.slot;
    const std::size_t field_size = f.size;
    rows.push_back({"field past the end",
                    [=](Bytes& t, const Layout& l) { poke(t, slot(l, id), size - l.table, 2); }});
    rows.push_back(
        {"field at 65535", [=](Bytes& t, const Layout& l) { poke(t, slot(l, id), 0xFFFF, 2); }});
    if (field_size == 1) return;
    rows.push_back({"field misaligned", [=](Bytes& t, const Layout& l) {
                      poke(t, slot(l, id), l.at[id] - l.table + field_size / 2, 2);
                    }});
  });
  for (const Row& row : rows) {
    CAPTURE(std::string(row.name));
    aligned_and_misaligned(changed(row.change), [](auto bytes) {
      const auto opened = gradtail::open(bytes);
      REQUIRE(!opened);
      CHECK(opened.error() == Error{Code::invalid, Check::layout, Field::none, 24});
    });
  }
}

TEST_CASE("a vtable may be behind its table, but not at an odd place") {
  for (const std::size_t gap : std::array<std::size_t, 4>{0, 1, 2, 3}) {
    Bytes table = reference::table_of(reference::full);
    const Layout l = layout_of(all_fields, 2);
    const std::size_t at = table.size() + gap;
    table.resize(at + 40);
    std::copy_n(table.begin() + static_cast<std::ptrdiff_t>(l.vtable), l.vtable_size,
                table.begin() + static_cast<std::ptrdiff_t>(at));
    poke(table, l.table, l.table - at, 4);
    const Bytes trailer = reference::trailer_around(table, 0);
    const auto opened = gradtail::open_trailer(trailer, 0);
    REQUIRE(opened.has_value() == (gap % 2 == 0));
    if (!opened) CHECK(opened.error().check == Check::layout);
  }
}

TEST_CASE("what the rules leave open is accepted") {
  const auto slot = [](const Layout& l, unsigned id) { return l.vtable + 4 + 2 * std::size_t{id}; };
  AutogradMetadata expected = reference::full;
  check_reads(changed([](Bytes& t, const Layout& l) { poke(t, l.vtable + 2, 0xFFFF, 2); }),
              expected);
  expected.message_id = expected.context_id;  // two slots, one place
  check_reads(changed([&](Bytes& t, const Layout& l) {
                poke(t, slot(l, slot_of_vt(Fbs::VT_MESSAGE_ID)),
                     l.at[slot_of_vt(Fbs::VT_CONTEXT_ID)] - l.table, 2);
              }),
              expected);
  expected = {.context_id = reference::full.context_id};  // an older writer's vtable
  check_reads(changed([](Bytes& t, const Layout& l) { poke(t, l.vtable, 6, 2); }), expected);
  for (const std::uint32_t vtable_size : {0U, 2U, 4U}) {
    check_reads(changed([=](Bytes& t, const Layout& l) { poke(t, l.vtable, vtable_size, 2); }), {});
  }
  expected = reference::full;
  expected.device_map = {};
  check_reads(changed([](Bytes& t, const Layout& l) { poke(t, l.map, 0, 4); }), expected);
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
    builder.Finish(flatbuffers::Offset<fbs::AutogradMetadata>(builder.EndTable(start)), "AGMD");
    Bytes table(builder.GetSize());
    std::memcpy(table.data(), builder.GetBufferPointer(), table.size());
    Bytes trailer = reference::trailer_around(table, 0);
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
