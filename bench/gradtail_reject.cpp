// SPDX-License-Identifier: Apache-2.0
// What a refusal costs: rows for several checks, then what a hostile sender can make a receiver do.
#include <cstring>

#include "footer.hpp"
#include "gradtail_codec.hpp"

namespace bench {
namespace {

using gradtail::Check;

constexpr std::size_t limit = 4096;
constexpr std::size_t largest_table = limit - footer_size;
constexpr std::size_t most_pairs = gradtail::max_device_pairs;

// Of a message with the four scalars and 128 pairs, which are the last of its table.
constexpr std::size_t mapped_table = 592 - footer_size;
constexpr std::size_t map_elements = mapped_table - 4 * most_pairs;

/// Damages the trailer in `room`, `size` bytes, sealing it again if its checksum is to hold.
/// Returns its new size.
using Damage = std::size_t (*)(std::span<std::byte> room, std::size_t size, const Scalars& sent);

/// Flips a bit of the byte that is `from_end` bytes before the trailer's end.
template <std::size_t from_end>
std::size_t footer_bit(std::span<std::byte> room, std::size_t size, const Scalars&) {
  room[size - from_end] ^= std::byte{4};
  return size;
}

/// Flips a bit of the table and seals it.
template <std::size_t offset>
std::size_t table_bit(std::span<std::byte> room, std::size_t size, const Scalars&) {
  room[offset] ^= std::byte{4};
  return seal(room.data(), size - footer_size, usual_payload);
}

std::size_t negative_context(std::span<std::byte> room, std::size_t size, const Scalars& sent) {
  constexpr std::int64_t refused = -2;
  void* value = memmem(room.data(), size, &sent.context_id, sizeof sent.context_id);
  if (value != nullptr) std::memcpy(value, &refused, sizeof refused);
  return seal(room.data(), size - footer_size, usual_payload);
}

void repeat_last_target(std::span<std::byte> room) {
  std::memcpy(room.data() + mapped_table - 2, room.data() + mapped_table - 6, 2);
}

std::size_t wrong_target(std::span<std::byte> room, std::size_t, const Scalars&) {
  repeat_last_target(room);
  return seal(room.data(), mapped_table, usual_payload);
}

/// The same, with bytes behind the table that nothing points at.
std::size_t wrong_target_in_large(std::span<std::byte> room, std::size_t, const Scalars&) {
  repeat_last_target(room);
  std::memset(room.data() + mapped_table, 0, largest_table - mapped_table);
  return seal(room.data(), largest_table, usual_payload);
}

std::size_t checksum_in_large(std::span<std::byte> room, std::size_t size, const Scalars& sent) {
  return footer_bit<8>(room, wrong_target_in_large(room, size, sent), sent);
}

/// As many pairs as fit the limit, and one more if that is to be too many for the table.
template <std::uint32_t more>
std::size_t largest_map(std::span<std::byte> room, std::size_t, const Scalars&) {
  constexpr std::uint32_t count = (largest_table - map_elements) / 4 + more;
  std::memset(room.data() + mapped_table, 0, largest_table - mapped_table);
  std::memcpy(room.data() + map_elements - 4, &count, sizeof count);
  return seal(room.data(), largest_table, usual_payload);
}

template <class Codec, Damage damage, Check expected>
class RejectRow {
 public:
  bool ready() {
    if (!fill(codec_, ring_)) return false;
    const std::size_t size = ring_.trailer_size();
    for (std::size_t i = 0; i < ring_size; ++i) {
      ring_.finish(i, damage(ring_.room(i), size, sent[i]));
      const auto message = ring_.message(i);
      segments_[i] = {message.first(usual_payload + 1), message.subspan(usual_payload + 1)};
    }
    return true;
  }
  [[gnu::always_inline]] bool run(std::size_t i) {
    const auto opened = gradtail::open(ring_.message(i));
    return !opened && opened.error().check == expected;
  }
  /// Message i in two segments, the trailer in both.
  [[nodiscard]] const auto& segments(std::size_t i) const { return segments_[i]; }

 private:
  Codec codec_;
  Ring ring_;
  std::array<std::array<std::span<const std::byte>, 2>, ring_size> segments_;
};

template <class Codec, Damage damage, Check expected>
class StraddlingRow : public RejectRow<Codec, damage, expected> {
 public:
  [[gnu::always_inline]] bool run(std::size_t i) {
    gradtail::TrailerScratch scratch;
    const auto opened = gradtail::open(this->segments(i), scratch);
    return !opened && opened.error().check == expected;
  }
};

using Mapped = WithPairs<most_pairs>;

[[maybe_unused]] const bool added[] = {
    add_row<RejectRow<Forward, footer_bit<1>, Check::magic>>("reject/magic"),
    add_row<RejectRow<Forward, footer_bit<8>, Check::checksum>>("reject/checksum"),
    add_row<RejectRow<Forward, table_bit<4>, Check::identifier>>("reject/identifier"),
    add_row<RejectRow<Forward, table_bit<3>, Check::layout>>("reject/layout"),
    add_row<RejectRow<Forward, negative_context, Check::values>>("reject/value"),
    add_row<RejectRow<Mapped, wrong_target, Check::values>>("reject/target, 128 pairs"),
    add_row<RejectRow<Mapped, checksum_in_large, Check::checksum>>("reject/checksum, 4096 bytes"),
    add_row<RejectRow<Mapped, largest_map<1>, Check::layout>>("reject/layout, 1005 pairs"),
    add_row<RejectRow<Mapped, largest_map<0>, Check::values>>("reject/value, 1004 pairs"),
    add_row<RejectRow<Mapped, wrong_target_in_large, Check::values>>(
        "reject/target, 128 pairs in 4096 bytes"),
    add_row<StraddlingRow<Mapped, wrong_target_in_large, Check::values>>(
        "reject/target, 128 pairs in 4096 bytes, straddling"),
};

}  // namespace
}  // namespace bench
