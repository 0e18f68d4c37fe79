// SPDX-License-Identifier: Apache-2.0
// The fast path by itself: it takes what our writer writes, and nothing that is damaged.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <limits>

#include "fast/read.hpp"
#include "guarded_memory.hpp"
#include "poke.hpp"
#include "printing.hpp"

using gradtail::AutogradMetadata;
using gradtail::DevicePair;
using gradtail::detail::FieldSet;
using gradtail::detail::Layout;
using gradtail::detail::layout_of;
using gradtail::detail::present_fields;
using namespace gradtail::detail::fast;  // NOLINT: what is tested
using reference::Bytes;

namespace {

constexpr std::size_t payload_size = 9;
constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();
constexpr FieldSet templates[] = {forward_fields,  mapped_fields, backward_fields,
                                  retained_fields, rref_fields,   cleanup_fields};

/// The metadata of each template, with maps of both parities.
std::vector<AutogradMetadata> template_metadata(std::span<const DevicePair> map) {
  std::vector<AutogradMetadata> all;
  for (const FieldSet set : templates) {
    if (set != mapped_fields) all.push_back(reference::fields_of(set, {}));
  }
  for (std::size_t count = 1; count <= map.size(); ++count) {
    all.push_back(reference::fields_of(mapped_fields, map.first(count)));
  }
  return all;
}

/// Stores the checksum of all these bytes and the payload's size, whatever trailer_size says.
void mend_whole(Bytes& trailer) {
  poke(trailer, trailer.size() - 8, reference::checksum_of(trailer, payload_size), 4);
}

template <class CrcStep>
std::size_t read_all(const Tail& tail, AutogradMetadata& m) {
  std::size_t size = 0;
  const auto reads = [&]<const Template & t>() {
    m = {};
    size = read_as<t, CrcStep>(tail, m);
    return size != 0;
  };
  const bool read = reads.template operator()<even_map>() || reads.template operator()<odd_map>() ||
                    reads.template operator()<backward>() || reads.template operator()<forward>() ||
                    reads.template operator()<retained>() || reads.template operator()<rref>() ||
                    reads.template operator()<cleanup>();
  return read ? size : 0;
}

/// The size of the trailer, or 0. Both implementations of the checksum agree, and so do the
/// functions that the library calls.
std::size_t reads(const Tail& tail, AutogradMetadata& m) {
  const std::size_t size = read_all<PortableCrc>(tail, m);
  if (has_crc_instruction) {
    AutogradMetadata other;
    CHECK(read_all<InstructionCrc>(tail, other) == size);
    if (size != 0) CHECK(other == m);
    other = {};
    CHECK(read_any(tail.bytes, tail.before, tail.limit, other) == size);
    if (size != 0) CHECK(other == m);
    if (tail.before == 0) {  // read_copy takes whole messages
      std::array<std::byte, gradtail::max_trailer_size> scratch;
      other = {};
      CHECK(read_copy(tail.bytes, scratch, tail.limit, other) == size);
      if (size != 0) CHECK(other == m);
    }
  }
  return size;
}

bool reads(const Bytes& trailer) {
  AutogradMetadata m;
  return reads({trailer, payload_size, no_limit}, m) != 0;
}

/// Whether FlatBuffers' builder makes these bytes of what the full parser finds in them.
bool is_canonical(const Bytes& trailer) {
  const auto parsed = reference::parse(trailer, payload_size);
  return parsed && reference::trailer_of(parsed->metadata(), payload_size) == trailer;
}

/// The bytes that say where something is: no other value of theirs is the template's.
std::vector<bool> structure_of(const AutogradMetadata& m) {
  const Layout layout = layout_of(present_fields(m), m.device_map.size());
  std::vector<bool> structure(layout.size);
  const auto mark = [&](std::size_t at, std::size_t size) {
    std::fill_n(structure.begin() + static_cast<std::ptrdiff_t>(at), size, true);
  };
  mark(0, 8);
  mark(layout.vtable, layout.vtable_size);
  mark(layout.root, 4);
  if (layout.map != 0) mark(layout.at[gradtail::detail::DeviceMap::slot], 4);
  if (layout.map != 0) mark(layout.map, 4);
  return structure;
}

}  // namespace

TEST_CASE("the fast path by itself reads every template behind any payload") {
  const auto map = reference::pairs(128);
  for (const AutogradMetadata& metadata : template_metadata(map)) {
    for (std::size_t here = 0; here <= payload_size; ++here) {
      Bytes bytes = reference::payload_of(here);
      reference::add_trailer(bytes, metadata, payload_size);
      AutogradMetadata read;
      REQUIRE(reads({bytes, payload_size - here, no_limit}, read) == bytes.size() - here);
      CHECK(read == metadata);
      CHECK(reads({bytes, payload_size - here + 1, no_limit}, read) == 0);
    }
  }
}

TEST_CASE("the fast path by itself reads the largest and the smallest values") {
  const AutogradMetadata extremes[] = {
      {.context_id = 0, .message_id = 0, .from_worker_id = 0, .wrapped_message_type = 1},
      {.context_id = INT64_MAX,
       .message_id = INT64_MAX,
       .from_worker_id = INT32_MAX,
       .wrapped_message_type = UINT32_MAX},
      {.context_id = 0, .rref_created_on = 0, .rref_local_id = 0},
      {.context_id = 0, .rref_created_on = INT32_MAX, .rref_local_id = INT64_MAX},
  };
  for (AutogradMetadata metadata : extremes) {
    CHECK(reads(reference::trailer_of(metadata, payload_size)));
    if (metadata.wrapped_message_type == 0) continue;
    metadata.device_map = reference::two_pairs;
    CHECK(reads(reference::trailer_of(metadata, payload_size)));
  }
}

TEST_CASE("the fast path by itself keeps the limit, to the byte") {
  const auto map = reference::pairs(5);
  for (const AutogradMetadata& metadata : template_metadata(map)) {
    Bytes message = reference::message_of(payload_size, metadata);
    const std::size_t size = message.size() - payload_size;
    AutogradMetadata read;
    for (const std::size_t limit : {std::size_t{0}, std::size_t{16}, size - 8, size - 1}) {
      CHECK(reads({message, 0, limit}, read) == 0);
    }
    CHECK(reads({message, 0, size}, read) == size);
  }
}

TEST_CASE("the fast path by itself declines bytes that are cut short, and reads none before them") {
  const guarded::Fenced fenced;
  const auto map = reference::pairs(5);
  for (const AutogradMetadata& metadata : template_metadata(map)) {
    const Bytes trailer = reference::trailer_of(metadata, payload_size);
    for (std::size_t size = 0; size < trailer.size(); ++size) {
      const auto bytes = fenced.front(size);
      std::copy(trailer.end() - static_cast<std::ptrdiff_t>(size), trailer.end(), bytes.begin());
      const std::size_t before = payload_size + trailer.size() - size;
      AutogradMetadata read;
      CHECK(read_any(bytes, before, no_limit, read) == 0);
      std::array<std::byte, gradtail::max_trailer_size> scratch;
      CHECK(read_copy(bytes, scratch, no_limit, read) == 0);
      if (size >= gradtail::footer_size) CHECK(reads({bytes, before, no_limit}, read) == 0);
    }
  }
}

TEST_CASE("of all 1-bit changes with a checksum that holds the fast path takes only new values") {
  const auto map = reference::pairs(5);
  for (const AutogradMetadata& metadata : template_metadata(map)) {
    const Bytes trailer = reference::trailer_of(metadata, payload_size);
    const std::vector<bool> is_structure = structure_of(metadata);
    for (std::size_t bit = 0; bit < trailer.size() * 8; ++bit) {
      CAPTURE(metadata);
      CAPTURE(bit);
      Bytes changed = flipped(trailer, bit);
      CHECK_FALSE(reads(changed));
      mend_whole(changed);
      if (bit / 8 >= trailer.size() - 16) {  // the footer has no bit to spare
        CHECK(reads(changed) == (changed == trailer));
        continue;
      }
      AutogradMetadata m;
      const bool read = reads({changed, payload_size, no_limit}, m) != 0;
      const auto parsed = reference::parse(changed, payload_size);
      if (read) {
        REQUIRE(parsed);
        CHECK(m == parsed->metadata());
      }
      const bool same_fields =
          parsed && present_fields(parsed->metadata()) == present_fields(metadata);
      if (same_fields && is_canonical(changed)) CHECK(read);
      if (is_structure[bit / 8]) CHECK_FALSE(read);
    }
  }
}

TEST_CASE("the fast path by itself declines every size that isn't the map's") {
  const auto map = reference::pairs(9);
  for (std::size_t count = 1; count <= map.size(); ++count) {
    const auto metadata = reference::fields_of(mapped_fields, std::span(map).first(count));
    const Bytes trailer = reference::trailer_of(metadata, payload_size);
    for (std::uint32_t size = 0; size < 700; ++size) {
      if (size == trailer.size()) continue;
      Bytes changed = trailer;
      poke(changed, changed.size() - 16, size, 4);
      mend_whole(changed);
      CHECK_FALSE(reads(changed));
      const Bytes payload = reference::payload_of(800);  // longer than any size that is tried
      changed.insert(changed.begin(), payload.begin(), payload.end());
      AutogradMetadata m;
      CHECK(reads({changed, 0, no_limit}, m) == 0);
    }
  }
}

TEST_CASE("the fast path reads its templates as the full parser does, and declines the rest") {
  const auto map = reference::pairs(128);
  for (const FieldSet set : reference::all_sets) {
    for (const std::size_t count : std::array<std::size_t, 5>{1, 2, 3, 8, 128}) {
      const AutogradMetadata metadata = reference::fields_of(set, std::span(map).first(count));
      const Bytes trailer = reference::trailer_of(metadata, payload_size);
      CHECK(reference::parse(trailer, payload_size).value().metadata() == metadata);
      const bool is_template = std::ranges::count(templates, set) != 0;
      AutogradMetadata read;
      CHECK(reads({trailer, payload_size, no_limit}, read) == (is_template ? trailer.size() : 0));
      if (is_template) CHECK(read == metadata);
    }
  }
}

TEST_CASE("only templates are written by the fast path, as the full writer writes them") {
  if (!has_crc_instruction) return;
  const auto map = reference::pairs(9);
  for (const FieldSet set : reference::all_sets) {
    for (std::size_t count = 1; count <= map.size(); ++count) {
      const AutogradMetadata m = reference::fields_of(set, std::span(map).first(count));
      Bytes room(gradtail::max_trailer_size);
      std::size_t size = write_forward(room, m, payload_size);
      CHECK((size != 0) == (set == forward_fields));
      if (size == 0) size = write_backward(room, m, payload_size);
      CHECK((size != 0) == (set == forward_fields || set == backward_fields));
      CHECK(template_size(m) == size);
      if (size == 0) size = write_rest(room, m, payload_size);
      CHECK((size != 0) == (std::ranges::count(templates, set) != 0));
      room.resize(size);
      if (size != 0) CHECK(room == reference::trailer_of(m, payload_size));
    }
  }
}
