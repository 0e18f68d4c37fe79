// SPDX-License-Identifier: Apache-2.0
// The fast way to read: tables whose constant bytes are exactly those that our writer stamps.
//
// Where root offset, identifier, vtable and the map's offset and length equal a known stamp's,
// every field stands where the stamp has it, inside and aligned, and there is nothing left to
// verify but the checksum and the values. This way only ever accepts. What it declines, damaged or
// merely unusual, goes the general way, which alone reports errors. A test holds the two to each
// other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "crc32c.hpp"
#include "gradtail/metadata.hpp"
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

/// The pairs in a table of this size, if a table of the stamp's fields can have it; else -1.
[[gnu::always_inline]] inline std::ptrdiff_t pairs_in(const Stamp& stamp,
                                                      std::size_t table_size) noexcept {
  if (stamp.pair_count == 0) return table_size == stamp.layout.size ? 0 : -1;
  if (table_size < stamp.layout.size) return -1;
  return static_cast<std::ptrdiff_t>((table_size - stamp.layout.size) / 4 + stamp.pair_count);
}

/// Reads a trailer of the stamp's fields into `m`; false where it is none, or anything is wrong.
template <class Crc>
[[gnu::always_inline]] inline bool read_stamped(const Stamp& stamp,
                                                std::span<const std::byte> trailer,
                                                std::uint64_t payload_size,
                                                AutogradMetadata& m) noexcept {
  const std::byte* table = trailer.data();
  const std::size_t table_size = trailer.size() - footer_size;
  const std::ptrdiff_t pairs = pairs_in(stamp, table_size);
  if (pairs < 0 || !has_constants(stamp, table)) return false;
  const auto pair_count = static_cast<std::size_t>(pairs);
  if (pair_count != 0 && load<std::uint32_t>(table + stamp.layout.map) != pair_count) return false;
  const std::size_t fixed = 8 * stamp.fixed_words;
  const std::uint32_t crc =
      crc_words<Crc>(stamp.crc_after_fixed, table + fixed, table_size + 8 - fixed);
  if (~Crc::step(crc, payload_size) != load<std::uint32_t>(table + table_size + 8)) return false;
  std::uint8_t retain_graph = 0;
  m = fields_at(stamp, table, pair_count, retain_graph);
  return scalars_valid(m) && retain_graph <= 1 &&
         (pair_count == 0 || first_bad_pair(m.device_map).field == Field::none);
}

/// Reads a trailer of any known layout into `m`; false where it is none, or anything is wrong.
/// The trailer is located: its size is a multiple of 8, 32 or more.
template <class Crc>
[[nodiscard]] inline bool read_known(std::span<const std::byte> trailer, std::uint64_t payload_size,
                                     AutogradMetadata& m) noexcept {
  const auto reads = [&](const Stamp& stamp) __attribute__((always_inline)) {
    return read_stamped<Crc>(stamp, trailer, payload_size, m);
  };
  return reads(forward_stamp) || reads(backward_stamp) || reads(retained_stamp) ||
         reads(even_mapped_stamp) || reads(odd_mapped_stamp) || reads(rref_stamp) ||
         reads(cleanup_stamp);
}

}  // namespace detail
}  // namespace v0
}  // namespace gradtail
