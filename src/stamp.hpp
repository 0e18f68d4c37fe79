// SPDX-License-Identifier: Apache-2.0
// Everything of a canonical table that doesn't depend on values, ready to be stored or compared.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "crc32c.hpp"
#include "gradtail/wire.hpp"
#include "layout.hpp"

namespace gradtail {
inline namespace v0 {
namespace detail {

inline constexpr std::uint32_t magic = 0xA74C5447;       // 47 54 4C A7
inline constexpr std::uint32_t identifier = 0x444D4741;  // AGMD

/// The last word of a trailer: the checksum for the CRC's state at the end, and the magic.
constexpr std::uint64_t last_word(std::uint64_t crc) noexcept {
  return crc ^ (0xFFFFFFFF | std::uint64_t{magic} << 32);
}

/// 8-byte words that hold everything up to the map's first elements, for any set of fields.
inline constexpr std::size_t stamp_words = 11;
using Words = std::array<std::uint64_t, stamp_words>;

/// Adds `value` to the little-endian image at byte position `at`; there must be zeros.
[[gnu::always_inline]] constexpr void put(Words& words, std::size_t at,
                                          std::uint64_t value) noexcept {
  words[at / 8] |= value << (at % 8 * 8);
}

/// Calls `use` with each index of Words as a constant, so that positions known at compile time
/// leave neither a loop nor an array behind. For that, `use` has to be inlined too, and says so.
template <class Use, std::size_t... i>
[[gnu::always_inline]] constexpr void for_each_word(Use use, std::index_sequence<i...>) noexcept {
  (use(std::integral_constant<std::size_t, i>{}), ...);
}

template <class Use>
[[gnu::always_inline]] constexpr void for_each_word(Use use) noexcept {
  for_each_word(use, std::make_index_sequence<stamp_words>{});
}

/// The image of one set of fields. With a map, of its smallest form of the same alignment: one pair
/// for odd numbers of pairs, two for even ones; each two pairs more add 8 bytes at the end.
struct Stamp {
  Layout layout;
  std::size_t pair_count = 0;   ///< pairs that the layout is for: 0, 1 or 2
  Words constant{};             ///< the bytes that are the same whatever the values
  Words mask{};                 ///< all ones over those bytes, but for gaps and padding
  std::size_t fixed_words = 0;  ///< leading words without any value in them
  std::array<std::byte, 8 * stamp_words> fixed{};  ///< the bytes of those
  std::uint64_t crc_after_fixed = crc_start;       ///< the CRC's state behind those
};

/// The stamp for these fields and a map of any `pair_count` pairs.
[[nodiscard, gnu::noinline]] constexpr Stamp make_stamp(FieldSet set,
                                                        std::size_t pair_count) noexcept {
  Stamp stamp;
  if ((set & fields(Slot::device_map)) != 0) stamp.pair_count = 2 - pair_count % 2;
  stamp.layout = layout_of(set, stamp.pair_count);
  const Layout& layout = stamp.layout;
  const auto add = [&stamp](std::size_t at, std::uint64_t value, std::uint64_t mask) {
    put(stamp.constant, at, value);
    put(stamp.mask, at, mask);
  };
  add(0, layout.table, 0xFFFFFFFF);
  add(4, identifier, 0xFFFFFFFF);
  add(layout.vtable, layout.vtable_size, 0xFFFF);
  add(layout.vtable + 2, layout.object_size, 0xFFFF);
  for (std::size_t id = 0; 4 + 2 * id < layout.vtable_size; ++id) {
    add(layout.vtable + 4 + 2 * id, layout.at[id] != 0 ? layout.at[id] - layout.table : 0, 0xFFFF);
  }
  add(layout.table, layout.table - layout.vtable, 0xFFFFFFFF);
  if (layout.map != 0)
    add(layout.at[Slot::device_map], layout.map - layout.at[Slot::device_map], 0xFFFFFFFF);
  return stamp;
}

/// Bytes of the trailer of the stamp's fields and a map of `pair_count` pairs.
[[gnu::always_inline]] constexpr std::size_t stamped_size(const Stamp& stamp,
                                                          std::size_t pair_count) noexcept {
  return stamp.layout.size + 4 * (pair_count - stamp.pair_count) + footer_size;
}

/// The same, for a set that is known when the library is built: with the CRC of what is fixed.
[[nodiscard]] consteval Stamp make_common_stamp(FieldSet set, std::size_t pair_count) noexcept {
  Stamp stamp = make_stamp(set, pair_count);
  stamp.fixed_words = (stamp.layout.table + 4) / 8;
  for (std::size_t i = 0; i < stamp.fixed_words; ++i) {
    stamp.crc_after_fixed = PortableCrc::step(stamp.crc_after_fixed, stamp.constant[i]);
    for (std::size_t byte = 0; byte < 8; ++byte) {
      stamp.fixed[8 * i + byte] = static_cast<std::byte>(stamp.constant[i] >> 8 * byte & 0xFF);
    }
    stamp.mask[i] = ~std::uint64_t{0};  // gaps too: a reader doesn't sum these words, it compares
  }
  return stamp;
}

// The sets that messages have: forward calls and their returns, with and without a device map;
// backward messages, with and without retain_graph; RRef backward messages; clean-up requests.
inline constexpr FieldSet forward_fields =
    fields(Slot::context_id, Slot::message_id, Slot::from_worker_id, Slot::wrapped_message_type);
inline constexpr FieldSet mapped_fields = forward_fields | fields(Slot::device_map);
inline constexpr FieldSet backward_fields = fields(Slot::context_id, Slot::message_id);
inline constexpr FieldSet retained_fields = backward_fields | fields(Slot::retain_graph);
inline constexpr FieldSet rref_fields =
    fields(Slot::context_id, Slot::rref_created_on, Slot::rref_local_id);
inline constexpr FieldSet cleanup_fields = fields(Slot::context_id);

inline constexpr Stamp forward_stamp = make_common_stamp(forward_fields, 0);
inline constexpr Stamp odd_mapped_stamp = make_common_stamp(mapped_fields, 1);
inline constexpr Stamp even_mapped_stamp = make_common_stamp(mapped_fields, 2);
inline constexpr Stamp backward_stamp = make_common_stamp(backward_fields, 0);
inline constexpr Stamp retained_stamp = make_common_stamp(retained_fields, 0);
inline constexpr Stamp rref_stamp = make_common_stamp(rref_fields, 0);
inline constexpr Stamp cleanup_stamp = make_common_stamp(cleanup_fields, 0);

/// Whether exactly the stamp's fields are set, all scalars in range.
[[nodiscard, gnu::always_inline]] inline bool fits(const Stamp& stamp,
                                                   const AutogradMetadata& m) noexcept {
  const auto has = [&stamp](Slot::Id id) { return stamp.layout.at[id] != 0; };
  const std::size_t pairs = m.device_map.size();
  if (has(Slot::device_map) && (pairs == 0 || pairs % 2 != stamp.pair_count % 2)) return false;
  std::int64_t set = 0;     // fields that must be set and in range: negative if one isn't
  std::uint64_t unset = 0;  // fields that must be absent: 0 if they are
  const auto sort = [&](Slot::Id id, std::int64_t value) __attribute__((always_inline)) {
    if (has(id)) set |= value;
    if (!has(id)) unset |= static_cast<std::uint64_t>(~value);
  };
  sort(Slot::context_id, m.context_id);
  sort(Slot::message_id, m.message_id);
  sort(Slot::from_worker_id, m.from_worker_id);
  sort(Slot::rref_created_on, m.rref_created_on);
  sort(Slot::rref_local_id, m.rref_local_id);
  if (!has(Slot::device_map)) unset |= pairs;
  if (!has(Slot::retain_graph)) unset |= std::uint64_t{m.retain_graph};
  if (set < 0 || unset != 0) return false;
  if (has(Slot::wrapped_message_type) != (m.wrapped_message_type != 0)) return false;
  return !has(Slot::retain_graph) || m.retain_graph;
}

/// A stamp as a type, so that a function made for it has the positions folded in.
template <const Stamp& stamp>
struct Common {
  /// Whether fitting it is all that has to be checked.
  static constexpr bool whole = stamp.pair_count == 0;

  constexpr operator const Stamp&() const noexcept { return stamp; }  // NOLINT
};

/// Calls `use` with the Common stamp that fits the metadata, or `otherwise` where none does. That
/// of forward messages is not among them: callers try it first, by itself.
template <class Use, class Otherwise>
[[gnu::always_inline]] inline auto with_stamp(const AutogradMetadata& m, Use use,
                                              Otherwise otherwise) {
  if (fits(even_mapped_stamp, m)) return use(Common<even_mapped_stamp>{});
  if (fits(odd_mapped_stamp, m)) return use(Common<odd_mapped_stamp>{});
  if (fits(backward_stamp, m)) return use(Common<backward_stamp>{});
  if (fits(retained_stamp, m)) return use(Common<retained_stamp>{});
  if (fits(rref_stamp, m)) return use(Common<rref_stamp>{});
  if (fits(cleanup_stamp, m)) return use(Common<cleanup_stamp>{});
  return otherwise();
}

}  // namespace detail
}  // namespace v0
}  // namespace gradtail
