// SPDX-License-Identifier: Apache-2.0
// Tables of other layouts than ours: every valid one is read, every invalid one is refused.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>

#include "autograd_metadata_generated.h"
#include "general_layout.hpp"
#include "gradtail/open.hpp"
#include "known_layout.hpp"
#include "poke.hpp"
#include "printing.hpp"

namespace fbs = gradtail::fbs;
using gradtail::AutogradMetadata;
using gradtail::Check;
using gradtail::Code;
using gradtail::Error;
using gradtail::Field;
using gradtail::detail::Layout;
using gradtail::detail::layout_of;
using gradtail::detail::Slot;
using reference::Bytes;

namespace {

using Table = fbs::AutogradMetadata;

/// A table built field by field, in the order given.
Bytes build(const AutogradMetadata& m, std::span<const int> order, bool force_defaults) {
  flatbuffers::FlatBufferBuilder builder;
  builder.ForceDefaults(force_defaults);
  const auto* pairs = reinterpret_cast<const fbs::DevicePair*>(m.device_map.data());
  const auto map = builder.CreateVectorOfStructs(pairs, m.device_map.size());
  const auto start = builder.StartTable();
  for (const int field : order) {
    switch (field) {
      case 0:
        builder.AddElement<std::int64_t>(Table::VT_CONTEXT_ID, m.context_id, -1);
        break;
      case 1:
        builder.AddElement<std::int64_t>(Table::VT_MESSAGE_ID, m.message_id, -1);
        break;
      case 2:
        builder.AddElement<std::int32_t>(Table::VT_FROM_WORKER_ID, m.from_worker_id, -1);
        break;
      case 3:
        builder.AddElement<std::uint32_t>(Table::VT_WRAPPED_MESSAGE_TYPE, m.wrapped_message_type,
                                          0);
        break;
      case 4:
        builder.AddOffset(Table::VT_DEVICE_MAP, map);
        break;
      case 5:
        builder.AddElement<std::uint8_t>(Table::VT_RETAIN_GRAPH, m.retain_graph, 0);
        break;
      case 6:
        builder.AddElement<std::int32_t>(Table::VT_RREF_CREATED_ON, m.rref_created_on, -1);
        break;
      default:
        builder.AddElement<std::int64_t>(Table::VT_RREF_LOCAL_ID, m.rref_local_id, -1);
    }
  }
  builder.Finish(flatbuffers::Offset<Table>(builder.EndTable(start)), "AGMD");
  Bytes table(builder.GetSize());
  std::memcpy(table.data(), builder.GetBufferPointer(), table.size());
  return table;
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
  change(table, layout_of(0xFF, 2));
  std::copy(table.begin(), table.end(), message.begin() + 24);
  reference::mend_checksum(message);
  return message;
}

}  // namespace

TEST_CASE("tables built in any order of fields are read") {
  std::vector<int> order(8);
  std::iota(order.begin(), order.end(), 0);
  for (unsigned set = 0; set < 256; ++set) {
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
  const int order[] = {0, 1, 2, 3, 4, 5, 6, 7};
  const Bytes message = reference::trailer_around(build({}, order, true), 0);
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
    return [to](Bytes& t, const Layout& l) { poke(t, l.at[Slot::device_map], to, 4); };
  };
  const auto map_size = [](std::uint32_t to) {
    return [to](Bytes& t, const Layout& l) { poke(t, l.map, to, 4); };
  };
  const auto size = static_cast<std::uint32_t>(layout_of(0xFF, 2).size);
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
  const std::size_t sizes[] = {8, 8, 4, 4, 4, 1, 4, 8};
  for (unsigned id = 0; id < 8; ++id) {
    rows.push_back({"field past the end", [=](Bytes& t, const Layout& l) {
                      poke(t, slot(l, id), size - l.table - sizes[id] + (id == 5 ? 1 : sizes[id]),
                           2);
                    }});
    rows.push_back(
        {"field at 65535", [=](Bytes& t, const Layout& l) { poke(t, slot(l, id), 0xFFFF, 2); }});
    if (sizes[id] == 1) continue;
    rows.push_back({"field misaligned", [=](Bytes& t, const Layout& l) {
                      poke(t, slot(l, id), l.at[id] - l.table + sizes[id] / 2, 2);
                    }});
  }
  for (const Row& row : rows) {
    CAPTURE(std::string(row.name));
    aligned_and_misaligned(changed(row.change), [](auto bytes) {
      const auto opened = gradtail::open(bytes);
      REQUIRE(!opened);
      CHECK(opened.error() == Error{Code::invalid, Check::layout, Field::none, 24});
    });
  }
}

TEST_CASE("what the rules leave open is accepted") {
  const auto slot = [](const Layout& l, unsigned id) { return l.vtable + 4 + 2 * std::size_t{id}; };
  AutogradMetadata expected = reference::full;
  check_reads(changed([](Bytes& t, const Layout& l) { poke(t, l.vtable + 2, 0xFFFF, 2); }),
              expected);
  expected.message_id = expected.context_id;  // two slots, one place
  check_reads(changed([&](Bytes& t, const Layout& l) {
                poke(t, slot(l, Slot::message_id), l.at[Slot::context_id] - l.table, 2);
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
    Bytes message = reference::message_of(7, reference::fields_of(0x1F, map));
    poke(message, 7 + layout_of(0x1F, count).map, count - 1, 4);
    reference::mend_checksum(message);
    check_reads(message, reference::fields_of(0x1F, std::span(map).first(count - 1)));
  }
}

template <class Crc>
void check_known(const Bytes& trailer, bool known, const AutogradMetadata& metadata) {
  gradtail::TrailerView view;
  CHECK(gradtail::detail::read_known<Crc>({trailer, 9, trailer.size()}, view) == known);
  if (known) CHECK(view.metadata() == metadata);
  CHECK(view.trailer().size() == (known ? trailer.size() : 0));
}

TEST_CASE("the fast way reads what it knows as the general way does, and declines the rest") {
  using namespace gradtail::detail;
  const FieldSet common[] = {forward_fields,  mapped_fields, backward_fields,
                             retained_fields, rref_fields,   cleanup_fields};
  const auto map = reference::pairs(128);
  for (FieldSet set = 0; set < 256; ++set) {
    for (const std::size_t count : std::array<std::size_t, 5>{1, 2, 3, 8, 128}) {
      const AutogradMetadata metadata = reference::fields_of(set, std::span(map).first(count));
      const Bytes trailer = reference::trailer_of(metadata, 9);
      CHECK(read_general(trailer, 9).value() == metadata);
      const bool known = std::ranges::count(common, set) != 0;
      check_known<PortableCrc>(trailer, known, metadata);
      if (has_crc_instruction) check_known<HardwareCrc>(trailer, known, metadata);
    }
  }
}
