// SPDX-License-Identifier: Apache-2.0
// The fast way to read: tables whose constant bytes are exactly those that our writer stamps.
//
// Where root offset, identifier, vtable and the map's offset and length equal a known stamp's,
// every field stands where the stamp has it, inside and aligned, and there is nothing left to
// verify but the checksum and the values. This way only ever accepts. What it declines, damaged or
// merely unusual, goes the general way, which alone reports errors. A test holds the two to each
// other.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "crc32c.hpp"
#include "gradtail/metadata.hpp"
#include "gradtail/open.hpp"
#include "gradtail/wire.hpp"
#include "little_endian.hpp"
#include "stamp.hpp"
#include "values.hpp"

namespace gradtail {
inline namespace v0 {
namespace detail {

/// The pairs that lie at `from`, lent in place.
[[nodiscard]] inline std::span<const DevicePair> lend_pairs(const std::byte* from,
                                                            std::size_t count) noexcept {
  return {reinterpret_cast<const DevicePair*>(from), count};
}

/// Whether every constant byte of the stamp is there. The table has stamp.layout.size bytes or
/// more.
[[gnu::always_inline]] inline bool has_constants(const Stamp& stamp,
                                                 const std::byte* table) noexcept {
  std::uint64_t difference = 0;
  for_each_word([&](auto i) __attribute__((always_inline)) {
    if (stamp.mask[i] == 0) return;
    difference |= (load<std::uint64_t>(table + 8 * i) & stamp.mask[i]) ^ stamp.constant[i];
  });
  return difference == 0;
}

/// The fields where the stamp has them. `retain_graph` is the byte that stands for it.
[[gnu::always_inline]] inline AutogradMetadata fields_at(const Stamp& stamp, const std::byte* table,
                                                         std::size_t pair_count,
                                                         std::uint8_t& retain_graph) noexcept {
  const auto& at = stamp.layout.at;
  const auto read = [&]<class T>(Slot::Id id, T & value) __attribute__((always_inline)) {
    if (at[id] != 0) value = static_cast<T>(load<std::make_unsigned_t<T>>(table + at[id]));
  };
  AutogradMetadata m;
  read(Slot::context_id, m.context_id);
  read(Slot::message_id, m.message_id);
  read(Slot::from_worker_id, m.from_worker_id);
  read(Slot::wrapped_message_type, m.wrapped_message_type);
  read(Slot::retain_graph, retain_graph);
  read(Slot::rref_created_on, m.rref_created_on);
  read(Slot::rref_local_id, m.rref_local_id);
  m.retain_graph = retain_graph != 0;
  if (pair_count != 0) m.device_map = lend_pairs(table + stamp.layout.map + 4, pair_count);
  return m;
}

/// Writes into views that are still empty.
struct Filler {
  /// The stamp's fields of the metadata alone: all others are absent from an empty view already.
  [[gnu::always_inline]] static void fill(TrailerView& view, const Stamp& stamp,
                                          const AutogradMetadata& m,
                                          std::span<const std::byte> trailer) noexcept {
    const auto set = [&](Slot::Id id, auto AutogradMetadata::*field)
        __attribute__((always_inline)) {
      if (stamp.layout.at[id] != 0) view.metadata_.*field = m.*field;
    };
    set(Slot::context_id, &AutogradMetadata::context_id);
    set(Slot::message_id, &AutogradMetadata::message_id);
    set(Slot::from_worker_id, &AutogradMetadata::from_worker_id);
    set(Slot::wrapped_message_type, &AutogradMetadata::wrapped_message_type);
    set(Slot::device_map, &AutogradMetadata::device_map);
    set(Slot::retain_graph, &AutogradMetadata::retain_graph);
    set(Slot::rref_created_on, &AutogradMetadata::rref_created_on);
    set(Slot::rref_local_id, &AutogradMetadata::rref_local_id);
    view.trailer_ = trailer;
  }
};

/// The end of a message: all of it, or its last segment. Nothing has been checked.
struct Tail {
  std::span<const std::byte> bytes;
  std::size_t before;  ///< bytes of the message that lie before these
  std::size_t limit;   ///< the largest trailer_size that is accepted
};

/// What the footer says about the pairs of a table of the stamp's fields: -1 where the footer isn't
/// one of such a table, or the trailer isn't inside the bytes and the limit.
[[gnu::always_inline]] inline std::ptrdiff_t pairs_in(const Stamp& stamp,
                                                      const Tail& tail) noexcept {
  const std::size_t most = std::min(tail.bytes.size(), tail.limit);
  const std::size_t least = stamp.layout.size + footer_size;
  if (most < least) return -1;
  const auto head = load<std::uint64_t>(tail.bytes.data() + tail.bytes.size() - footer_size);
  // The version, no flag, and the exact size.
  if (stamp.pair_count == 0) return head == (least | std::uint64_t{format_version} << 32) ? 0 : -1;
  const std::size_t size = static_cast<std::uint32_t>(head);
  if (head >> 32 != format_version || size < least || size > most || size % 8 != 0) return -1;
  return static_cast<std::ptrdiff_t>((size - least) / 4 + stamp.pair_count);
}

/// Finds a trailer of the stamp's fields; false where there is none, or anything is wrong.
template <class Crc>
[[gnu::always_inline]] inline bool read_stamped(const Stamp& stamp, const Tail& tail,
                                                TrailerView& view) noexcept {
  const std::ptrdiff_t pairs = pairs_in(stamp, tail);
  if (pairs < 0) return false;
  const auto pair_count = static_cast<std::size_t>(pairs);
  if (pair_count > max_device_pairs) return false;  // before a long sum is made twice
  const std::size_t size = stamped_size(stamp, pair_count);
  const std::span<const std::byte> trailer = tail.bytes.last(size);
  const std::size_t payload_size = tail.before + (tail.bytes.size() - size);
  const std::byte* table = trailer.data();
  if (!has_constants(stamp, table)) return false;
  if (pair_count != 0 && load<std::uint32_t>(table + stamp.layout.map) != pair_count) return false;
  const std::size_t fixed = 8 * stamp.fixed_words;
  std::uint64_t crc = crc_words<Crc>(stamp.crc_after_fixed, table + fixed, size - 8 - fixed);
  crc = Crc::step(crc, payload_size);
  if (load<std::uint64_t>(table + size - 8) != last_word(crc)) return false;
  std::uint8_t retain_graph = 0;
  const AutogradMetadata m = fields_at(stamp, table, pair_count, retain_graph);
  if (!fits(stamp, m) || retain_graph > 1) return false;
  if (pair_count != 0 && !pairs_valid(m.device_map)) return false;
  Filler::fill(view, stamp, m, trailer);
  return true;
}

/// Finds a trailer of any known layout; false where there is none, or anything is wrong.
template <class Crc>
[[gnu::noinline]] bool read_known(const Tail& tail, TrailerView& view) noexcept {
  const auto reads = [&](const Stamp& stamp) __attribute__((always_inline)) {
    return read_stamped<Crc>(stamp, tail, view);
  };
  return reads(even_mapped_stamp) || reads(odd_mapped_stamp) || reads(backward_stamp) ||
         reads(forward_stamp) || reads(retained_stamp) || reads(rref_stamp) || reads(cleanup_stamp);
}

}  // namespace detail
}  // namespace v0
}  // namespace gradtail
