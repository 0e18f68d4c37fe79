// SPDX-License-Identifier: Apache-2.0
// What a hostile sender can make a receiver do: messages that are refused as late as can be.
#include <cstring>

#include "footer.hpp"
#include "gradtail_way.hpp"

namespace bench {
namespace {

using gradtail::Check;

constexpr std::size_t limit = 4096;
constexpr std::size_t largest_table = limit - footer_size;
constexpr std::size_t pairs = gradtail::max_device_pairs;

// Of a message with the four scalars and 128 pairs, which are the last of its table.
constexpr std::size_t mapped_table = 592 - footer_size;
constexpr std::size_t map_elements = mapped_table - 4 * pairs;

/// Makes the table of a trailer, from one with 128 pairs. Returns the table's size.
using Damage = std::size_t (*)(std::byte* table);

std::size_t last_target_again(std::byte* table) {
  std::memcpy(table + mapped_table - 2, table + mapped_table - 6, 2);
  return mapped_table;
}

/// The same, with bytes behind the table that nothing points at.
std::size_t last_target_in_large(std::byte* table) {
  last_target_again(table);
  std::memset(table + mapped_table, 0, largest_table - mapped_table);
  return largest_table;
}

/// As many pairs as the limit lets in.
std::size_t too_many_pairs(std::byte* table) {
  constexpr std::uint32_t count = (largest_table - map_elements) / 4;
  std::memcpy(table + map_elements - 4, &count, sizeof count);
  std::memset(table + mapped_table, 0, largest_table - mapped_table);
  return largest_table;
}

/// A map that ends one pair behind the end.
std::size_t map_too_long(std::byte* table) {
  too_many_pairs(table);
  constexpr std::uint32_t count = (largest_table - map_elements) / 4 + 1;
  std::memcpy(table + map_elements - 4, &count, sizeof count);
  return largest_table;
}

std::size_t nothing(std::byte*) { return mapped_table; }

/// A message of the ring with its trailer's table damaged and sealed again; or only its checksum.
template <Damage damage, bool checksum_holds>
void spoil(Ring& ring, std::size_t i) {
  std::byte* table = ring.room(i).data();
  const std::size_t size = seal(table, damage(table), usual_payload);
  if (!checksum_holds) table[size - 8] ^= std::byte{1};
  ring.finish(i, size);
}

template <Damage damage, bool checksum_holds, Check expected>
class RejectRow {
 public:
  bool ready() {
    if (!fill(way_, ring_)) return false;
    for (std::size_t i = 0; i < ring_size; ++i) spoil<damage, checksum_holds>(ring_, i);
    return true;
  }
  [[gnu::always_inline]] bool run(std::size_t i) {
    const auto opened = gradtail::open(ring_.message(i));
    return !opened && opened.error().check == expected;
  }
  [[nodiscard]] std::size_t wire() const { return ring_.trailer_size(); }

 private:
  Gradtail<pairs> way_;
  Ring ring_;
};

/// The same in two segments, the trailer in both.
template <Damage damage, bool checksum_holds, Check expected>
class StraddlingRow {
 public:
  bool ready() {
    if (!fill(way_, ring_)) return false;
    for (std::size_t i = 0; i < ring_size; ++i) {
      spoil<damage, checksum_holds>(ring_, i);
      const auto message = ring_.message(i);
      messages_[i] = {message.first(usual_payload + 1), message.subspan(usual_payload + 1)};
    }
    return true;
  }
  [[gnu::always_inline]] bool run(std::size_t i) {
    gradtail::TrailerScratch scratch;
    const auto opened = gradtail::open(messages_[i], scratch);
    return !opened && opened.error().check == expected;
  }
  [[nodiscard]] std::size_t wire() const { return ring_.trailer_size(); }

 private:
  Gradtail<pairs> way_;
  Ring ring_;
  std::array<std::array<std::span<const std::byte>, 2>, ring_size> messages_;
};

BENCHMARK(time_row<RejectRow<nothing, false, Check::checksum>>)->Name("reject/checksum, 128 pairs");
BENCHMARK(time_row<RejectRow<last_target_in_large, false, Check::checksum>>)
    ->Name("reject/checksum, 128 pairs in 4096 bytes");
BENCHMARK(time_row<RejectRow<too_many_pairs, false, Check::checksum>>)
    ->Name("reject/checksum, 1004 pairs");
BENCHMARK(time_row<RejectRow<map_too_long, true, Check::layout>>)
    ->Name("reject/layout, 1005 pairs");
BENCHMARK(time_row<RejectRow<too_many_pairs, true, Check::values>>)
    ->Name("reject/size, 1004 pairs");
BENCHMARK(time_row<RejectRow<last_target_again, true, Check::values>>)
    ->Name("reject/target, 128 pairs");
BENCHMARK(time_row<RejectRow<last_target_in_large, true, Check::values>>)
    ->Name("reject/target, 128 pairs in 4096 bytes");
BENCHMARK(time_row<StraddlingRow<last_target_in_large, true, Check::values>>)
    ->Name("reject/target, 128 pairs in 4096 bytes, straddling");

}  // namespace
}  // namespace bench
