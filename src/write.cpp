// SPDX-License-Identifier: Apache-2.0
// The one writer: computes each word of the trailer, stores it once and sums it on the way.
#include "gradtail/write.hpp"

#include <algorithm>
#include <cstring>
#include <functional>

#include "crc32c.hpp"
#include "little_endian.hpp"
#include "stamp.hpp"
#include "values.hpp"

namespace gradtail {
inline namespace v0 {
namespace detail {
namespace {

static_assert(max_trailer_size == layout_of((1U << Slot::count) - 1, max_device_pairs).size + 16);
static_assert(min_trailer_size == layout_of(0, 0).size + 16);

/// The trailer's words up to the map's first elements.
[[gnu::always_inline]] inline Words image_of(const Stamp& stamp,
                                             const AutogradMetadata& m) noexcept {
  Words words = stamp.constant;
  const auto add = [&](Slot::Id id, std::uint64_t value) __attribute__((always_inline)) {
    if (stamp.layout.at[id] != 0) put(words, stamp.layout.at[id], value);
  };
  add(Slot::context_id, static_cast<std::uint64_t>(m.context_id));
  add(Slot::message_id, static_cast<std::uint64_t>(m.message_id));
  add(Slot::from_worker_id, static_cast<std::uint32_t>(m.from_worker_id));
  add(Slot::wrapped_message_type, m.wrapped_message_type);
  add(Slot::retain_graph, m.retain_graph);
  add(Slot::rref_created_on, static_cast<std::uint32_t>(m.rref_created_on));
  add(Slot::rref_local_id, static_cast<std::uint64_t>(m.rref_local_id));
  return words;
}

/// Stores words one behind the other and sums them from the register: to read them back from
/// memory would cost more than the sum itself.
template <class Crc>
struct WordWriter {
  std::byte* to;
  std::uint64_t crc;

  [[gnu::always_inline]] void operator()(std::uint64_t word) noexcept {
    crc = Crc::step(crc, word);
    store(to, word);
    to += 8;
  }
};

/// The map's elements that don't share a word with its length; a last one alone is padded with
/// zeros.
template <class Crc>
[[gnu::always_inline]] inline void write_pairs(WordWriter<Crc>& write,
                                               std::span<const DevicePair> pairs) noexcept {
  const std::byte* from = std::as_bytes(pairs).data();
  std::size_t left = pairs.size();
  for (; left >= 2; left -= 2, from += 8) write(load<std::uint64_t>(from));
  if (left != 0) write(load<std::uint32_t>(from));
}

/// Writes the trailer. The metadata is valid and `map` is its map in the order of the wire.
template <class Crc>
[[gnu::always_inline]] inline void write_stamped(const Stamp& stamp, const AutogradMetadata& m,
                                                 std::span<const DevicePair> map,
                                                 std::uint64_t payload_size,
                                                 std::byte* out) noexcept {
  const std::size_t size = stamped_size(stamp, map.size());
  const Layout& layout = stamp.layout;
  Words words = image_of(stamp, m);
  std::size_t word_count = layout.size / 8;
  if (layout.map != 0) {
    put(words, layout.map, map.size());
    word_count = layout.map / 8 + 1;
    if (layout.map % 8 == 0) {
      put(words, layout.map + 4, load<std::uint32_t>(std::as_bytes(map).data()));
      map = map.subspan(1);
    }
  }
  std::memcpy(out, stamp.fixed.data(), 8 * stamp.fixed_words);
  WordWriter<Crc> write{out + 8 * stamp.fixed_words, stamp.crc_after_fixed};
  for_each_word([&](auto i) __attribute__((always_inline)) {
    // gcov counts a copy for each i, and in most of them one half has one answer.
    if (i >= stamp.fixed_words && i < word_count) write(words[i]);  // GCOVR_EXCL_BR_LINE
  });
  if (layout.map != 0) write_pairs(write, map);
  write(size | std::uint64_t{format_version} << 32);
  store(write.to, last_word(Crc::step(write.crc, payload_size)));
}

/// The end of every way to write: all is checked but the room.
template <class Crc>
[[gnu::always_inline]] inline std::size_t write_valid(const Stamp& stamp, std::span<std::byte> room,
                                                      const AutogradMetadata& m,
                                                      std::span<const DevicePair> map,
                                                      std::uint64_t payload_size) noexcept {
  const std::size_t size = stamped_size(stamp, map.size());
  if (room.size() < size) [[unlikely]]
    return 0;
  write_stamped<Crc>(stamp, m, map, payload_size, room.data());
  return size;
}

using MapMemory = std::array<std::byte, max_device_pairs * sizeof(DevicePair)>;

/// A copy of a device map of no more pairs than one may have, in the order of the wire.
[[gnu::cold]] std::span<const DevicePair> sorted_copy(std::span<const DevicePair> map,
                                                      MapMemory& memory) noexcept {
  if (!map.empty()) std::memmove(memory.data(), map.data(), map.size_bytes());
  const std::span copy{reinterpret_cast<DevicePair*>(memory.data()), map.size()};
  std::ranges::make_heap(copy, source_before);  // a third of the code of std::sort
  std::ranges::sort_heap(copy, source_before);
  return copy;
}

/// Whether any of the map may be written over before it is read.
bool overlap(std::span<const DevicePair> map, std::span<const std::byte> room) noexcept {
  const std::span bytes = std::as_bytes(map);
  const std::less<> before;
  return before(bytes.data(), room.data() + room.size()) &&
         before(room.data(), bytes.data() + bytes.size());
}

/// With a device map, or fields of a set that is not common. Scalars are in range. The map is
/// copied where it can't be written as it is.
template <class Crc, class S>
[[gnu::noinline]] std::size_t write_mapped(std::span<std::byte> room, const AutogradMetadata& m,
                                           std::uint64_t payload_size, const S& stamp) noexcept {
  std::span<const DevicePair> map = m.device_map;
  MapMemory memory;  // NOLINT: filled by the copy
  if (!pairs_valid(map) || overlap(map, room)) [[unlikely]] {
    if (map.size() > max_device_pairs) return 0;
    map = sorted_copy(map, memory);
    if (!pairs_valid(map)) return 0;
  }
  return write_valid<Crc>(stamp, room, m, map, payload_size);
}

/// Fields of a set that is not common.
[[gnu::noinline]] std::size_t write_rare(std::span<std::byte> room, const AutogradMetadata& m,
                                         std::uint64_t payload_size) noexcept {
  if (!scalars_valid(m)) return 0;
  return write_mapped<AnyCrc>(room, m, payload_size,
                              make_stamp(present_fields(m), m.device_map.size()));
}

/// All but forward messages, kept out of their way.
[[gnu::noinline]] std::size_t write_other(std::span<std::byte> room, const AutogradMetadata& m,
                                          std::uint64_t payload_size) noexcept {
  const auto common = [&]<class S>(const S& stamp) __attribute__((always_inline)) {
    if constexpr (S::whole) return write_valid<HardwareCrc>(stamp, room, m, {}, payload_size);
    return write_mapped<HardwareCrc, S>(room, m, payload_size, stamp);
  };
  const auto rare = [&]() __attribute__((always_inline)) {
    return write_rare(room, m, payload_size);
  };
  return has_crc_instruction ? with_stamp(m, common, rare) : rare();
}

[[gnu::noinline]] std::size_t write_forward_portably(std::span<std::byte> room,
                                                     const AutogradMetadata& m,
                                                     std::uint64_t payload_size) noexcept {
  return write_valid<PortableCrc>(forward_stamp, room, m, {}, payload_size);
}

}  // namespace

[[gnu::aligned(64)]] std::size_t try_write(std::span<std::byte> room, const AutogradMetadata& m,
                                           std::uint64_t payload_size) noexcept {
  if (!fits(forward_stamp, m)) [[unlikely]]
    return write_other(room, m, payload_size);
  if (!has_crc_instruction) [[unlikely]]
    return write_forward_portably(room, m, payload_size);
  return write_valid<HardwareCrc>(forward_stamp, room, m, {}, payload_size);
}

[[gnu::cold]] Error write_error(const AutogradMetadata& m, std::uint64_t payload_size) noexcept {
  MapMemory memory;  // NOLINT: filled by the copy
  std::span<const DevicePair> map = m.device_map;
  if (map.size() <= max_device_pairs) map = sorted_copy(map, memory);
  const BadValue bad = first_bad_value(m, map, m.retain_graph);
  const auto offset = static_cast<std::size_t>(payload_size);
  if (bad.field != Field::none) return {Code::invalid, Check::values, bad.field, offset};
  return {Code::no_space, Check::room, Field::none, offset};
}

}  // namespace detail

std::size_t trailer_size(const AutogradMetadata& metadata) noexcept {
  using namespace detail;
  if (fits(forward_stamp, metadata)) return stamped_size(forward_stamp, 0);
  const std::size_t pair_count = metadata.device_map.size();
  const auto common = [&](const Stamp& stamp) __attribute__((always_inline)) {
    return stamped_size(stamp, pair_count);
  };
  const auto rare = [&] {
    return layout_of(present_fields(metadata), pair_count).size + footer_size;
  };
  return with_stamp(metadata, common, rare);
}

}  // namespace v0
}  // namespace gradtail
