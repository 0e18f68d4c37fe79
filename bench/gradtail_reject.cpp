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
void reject_row(benchmark::State& state) {
  Gradtail<pairs> gradtail;
  Ring ring;
  if (!fill(gradtail, ring)) return state.SkipWithError("what it wrote doesn't read back");
  for (std::size_t i = 0; i < ring_size; ++i) spoil<damage, checksum_holds>(ring, i);
  std::size_t i = 0;
  for (auto _ : state) {
    const auto opened = gradtail::open(ring.message(i));
    if (opened || opened.error().check != expected) return state.SkipWithError("not as expected");
    benchmark::ClobberMemory();
    i = (i + 1) % ring_size;
  }
  state.counters["wire"] = static_cast<double>(ring.message(0).size() - usual_payload);
}

/// The same in two segments, the trailer in both.
void straddling_row(benchmark::State& state) {
  Gradtail<pairs> gradtail;
  Ring ring;
  if (!fill(gradtail, ring)) return state.SkipWithError("what it wrote doesn't read back");
  for (std::size_t i = 0; i < ring_size; ++i) spoil<last_target_in_large, true>(ring, i);
  gradtail::TrailerScratch scratch;
  std::size_t i = 0;
  for (auto _ : state) {
    const auto message = ring.message(i);
    const std::array segments{message.first(usual_payload + 1), message.subspan(usual_payload + 1)};
    const auto opened = gradtail::open(segments, scratch);
    if (opened || opened.error().check != Check::values) {
      return state.SkipWithError("not as expected");
    }
    benchmark::ClobberMemory();
    i = (i + 1) % ring_size;
  }
}

BENCHMARK(reject_row<nothing, false, Check::checksum>)->Name("reject/checksum, 128 pairs");
BENCHMARK(reject_row<last_target_in_large, false, Check::checksum>)
    ->Name("reject/checksum, 4096 bytes");
BENCHMARK(reject_row<too_many_pairs, false, Check::checksum>)
    ->Name("reject/checksum, 4096 bytes of pairs");
BENCHMARK(reject_row<map_too_long, true, Check::layout>)->Name("reject/layout, 4096 bytes");
BENCHMARK(reject_row<too_many_pairs, true, Check::values>)->Name("reject/size of the map");
BENCHMARK(reject_row<last_target_again, true, Check::values>)->Name("reject/target, 128 pairs");
BENCHMARK(reject_row<last_target_in_large, true, Check::values>)
    ->Name("reject/target, 128 pairs in 4096 bytes");
BENCHMARK(straddling_row)->Name("reject/target, 128 pairs in 4096 bytes, straddling");

}  // namespace
}  // namespace bench
