// SPDX-License-Identifier: Apache-2.0
// The one writer: computes each word of the trailer, stores it once and sums it on the way.
#include "gradtail/write.hpp"

#include <algorithm>
#include <cstring>

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

constexpr std::size_t stamped_size(const Stamp& stamp, std::size_t pair_count) noexcept {
  return stamp.layout.size + 4 * (pair_count - stamp.pair_count) + footer_size;
}

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
  add(Slot::retain_graph, m.retain_graph ? 1 : 0);
  add(Slot::rref_created_on, static_cast<std::uint32_t>(m.rref_created_on));
  add(Slot::rref_local_id, static_cast<std::uint64_t>(m.rref_local_id));
  return words;
}

/// Stores words one behind the other and sums them from the register: to read them back from
/// memory would cost more than the sum itself.
template <class Crc>
struct WordWriter {
  std::byte* to;
  std::uint32_t crc = crc_start;

  void operator()(std::uint64_t word) noexcept {
    crc = Crc::step(crc, word);
    store(to, word);
    to += 8;
  }
};

/// The map's elements that don't share a word with its length; a last one alone is padded with
/// zeros.
template <class Crc>
void write_pairs(WordWriter<Crc>& write, std::span<const DevicePair> pairs) noexcept {
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
  for_each_word([&](auto i) __attribute__((always_inline)) {
    if (i < stamp.fixed_words) store(out + 8 * i, words[i]);
  });
  WordWriter<Crc> write{out + 8 * stamp.fixed_words, stamp.crc_after_fixed};
  for_each_word([&](auto i) __attribute__((always_inline)) {
    if (i >= stamp.fixed_words && i < word_count) write(words[i]);
  });
  if (layout.map != 0) write_pairs(write, map);
  write(size | std::uint64_t{format_version} << 32);
  const std::uint32_t checksum = ~Crc::step(write.crc, payload_size);
  store(write.to, checksum | std::uint64_t{magic} << 32);
}

template <class Crc>
void write_with(const AutogradMetadata& m, std::span<const DevicePair> map,
                std::uint64_t payload_size, std::byte* out) noexcept {
  with_stamp(
      present_fields(m), map.size(), [&](const Stamp& stamp) __attribute__((always_inline)) {
        write_stamped<Crc>(stamp, m, map, payload_size, out);
      });
}

/// A copy of the map, of no more pairs than one may have, in the order of the wire.
std::span<const DevicePair> sorted_copy(std::span<const DevicePair> map,
                                        std::span<std::byte> memory) noexcept {
  auto* pairs = reinterpret_cast<DevicePair*>(memory.data());
  std::ranges::copy(map, pairs);
  if (!std::is_sorted(pairs, pairs + map.size(), source_before)) {
    std::sort(pairs, pairs + map.size(), source_before);
  }
  return {pairs, map.size()};
}

}  // namespace

Prepared::Prepared(const AutogradMetadata& metadata, std::uint64_t payload_size) noexcept  // NOLINT
    : metadata_(metadata),
      payload_size_(payload_size),
      size_(trailer_size(metadata)),
      map_(metadata.device_map) {
  if (map_.empty() && scalars_valid(metadata)) return;
  if (map_.size() <= max_device_pairs) map_ = sorted_copy(map_, pairs_);
  const BadValue bad = first_bad_value(metadata, map_, metadata.retain_graph ? 1 : 0);
  if (bad.field != Field::none) {
    size_ = Error{Code::invalid, Check::values, bad.field, static_cast<std::size_t>(payload_size)};
  }
}

void Prepared::write(std::byte* out) const noexcept {
  with_crc([&](auto crc) { write_with<decltype(crc)>(metadata_, map_, payload_size_, out); });
}

}  // namespace detail

std::size_t trailer_size(const AutogradMetadata& metadata) noexcept {
  const std::size_t pair_count = metadata.device_map.size();
  return detail::with_stamp(
      detail::present_fields(metadata),
      pair_count, [&](const detail::Stamp& stamp) __attribute__((always_inline)) {
        return detail::stamped_size(stamp, pair_count);
      });
}

Result<std::size_t> write_trailer(std::span<std::byte> room, const AutogradMetadata& metadata,
                                  std::uint64_t payload_size) noexcept {
  const detail::Prepared trailer(metadata, payload_size);
  if (!trailer.size()) return trailer.size();
  if (room.size() < *trailer.size()) {
    return Error{Code::no_space, Check::room, Field::none, static_cast<std::size_t>(payload_size)};
  }
  trailer.write(room.data());
  return trailer.size();
}

}  // namespace v0
}  // namespace gradtail
