// SPDX-License-Identifier: Apache-2.0
// Finds the first value that the schema doesn't allow.
#include "values.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "gradtail/wire.hpp"

namespace gradtail {
inline namespace v0 {
namespace detail {
namespace {

constexpr std::size_t device_types = 64;

constexpr bool type_valid(Device device) noexcept {
  return device.type >= 0 && static_cast<std::size_t>(device.type) < device_types;
}

constexpr bool index_valid(Device device) noexcept { return device.index >= -1; }

/// The first pair whose target an earlier pair has, or the number of pairs. Devices are in range,
/// and there are at most max_device_pairs.
std::size_t first_repeated_target(std::span<const DevicePair> map) noexcept {
  constexpr std::size_t numbers = device_types << 8;
  const auto number = [](Device d) {
    return std::size_t{static_cast<std::uint8_t>(d.type)} << 8 | static_cast<std::uint8_t>(d.index);
  };
  // Only what the first loop writes is read: nothing has to be cleared.
  std::array<std::uint8_t, numbers> first;  // NOLINT
  for (std::size_t i = map.size(); i-- > 0;) {
    first[number(map[i].target)] = static_cast<std::uint8_t>(i);
  }
  std::size_t i = 0;
  while (i < map.size() && first[number(map[i].target)] == i) ++i;
  return i;
}

/// Whether no target is there twice, of so few pairs that to compare each two is the quickest.
bool few_targets_differ(std::span<const DevicePair> map) noexcept {
  for (std::size_t i = 1; i < map.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      if (map[k].target == map[i].target) return false;
    }
  }
  return true;
}

/// The first pair that has a device out of range, or whose source isn't above the one before.
BadValue first_misplaced(std::span<const DevicePair> map) noexcept {
  for (std::size_t i = 0; i < map.size(); ++i) {
    const auto [source, target] = map[i];
    if (!type_valid(source) || !type_valid(target)) return {Field::device_map_type, i};
    if (!index_valid(source) || !index_valid(target)) return {Field::device_map_index, i};
    if (i > 0 && !source_before(map[i - 1], map[i])) return {Field::device_map_source, i};
  }
  return {};
}

// Four pairs in a vector, for which gcc and clang use what the machine has. Passed by reference
// only: machines without vectors have no way of their own to pass them.
using Bytes [[gnu::vector_size(16)]] = std::uint8_t;
using Numbers [[gnu::vector_size(16)]] = std::int16_t;  // one for each device
using Words [[gnu::vector_size(16)]] = std::uint16_t;
using Pairs [[gnu::vector_size(16)]] = std::uint32_t;
using Halves [[gnu::vector_size(16)]] = std::uint64_t;

[[gnu::always_inline]] inline void load_four(Bytes& bytes, const DevicePair* pairs) noexcept {
  std::memcpy(&bytes, pairs, sizeof bytes);
}

[[gnu::always_inline]] inline void load_same(Bytes& bytes, DevicePair pair) noexcept {
  const DevicePair four[] = {pair, pair, pair, pair};
  load_four(bytes, four);
}

/// Type and index + 1 of each device: where those are in range, nothing is negative.
[[gnu::always_inline]] inline void load_devices(Bytes& bytes, const DevicePair* pairs) noexcept {
  Bytes lowest;
  load_same(lowest, {{0, -1}, {0, -1}});
  load_four(bytes, pairs);
  bytes -= lowest;
}

/// Of each device, type * 256 + index + 1, which orders as the wire does.
[[gnu::always_inline]] inline void number(Numbers& numbers, const Bytes& bytes) noexcept {
  auto words = reinterpret_cast<Words>(bytes);
  if constexpr (std::endian::native == std::endian::little) words = words << 8 | words >> 8;
  numbers = reinterpret_cast<Numbers>(words);
}

/// What is to be seen of a map in one pass.
struct Survey {
  bool in_order;          ///< devices are in range, and sources ascend
  std::uint64_t indices;  ///< one of 64 bits for the index of each target
};

/// Collects a survey, four pairs at a time, without a branch.
struct Surveyor {
  Bytes highest{};
  Numbers ascending = ~Numbers{};  // all ones where each number was above the one before
  std::uint64_t indices = 0;

  [[gnu::always_inline]] void add(const DevicePair* pairs, const Bytes& bytes,
                                  const Numbers& numbers, const Numbers& before) noexcept {
    const auto bit = [](const DevicePair& pair) __attribute__((always_inline)) {
      return std::uint64_t{1} << static_cast<unsigned>(pair.target.index) % 64;
    };
    highest = bytes > highest ? bytes : highest;
    ascending &= numbers > before;
    indices |= bit(pairs[0]) | bit(pairs[1]) | bit(pairs[2]) | bit(pairs[3]);
  }

  /// The first four: before the first there is none, for which -1 stands.
  [[gnu::always_inline]] void add_first(const DevicePair* pairs) noexcept {
    Bytes bytes;
    Numbers numbers;
    load_devices(bytes, pairs);
    number(numbers, bytes);
    const auto shifted =
        __builtin_shufflevector(~Pairs{}, reinterpret_cast<Pairs>(numbers), 0, 4, 5, 6);
    add(pairs, bytes, numbers, reinterpret_cast<Numbers>(shifted));
  }

  /// Four more: those before them are loaded from one pair earlier.
  [[gnu::always_inline]] void add_next(const DevicePair* pairs) noexcept {
    Bytes bytes;
    Bytes bytes_before;
    Numbers numbers;
    Numbers before;
    load_devices(bytes, pairs);
    load_devices(bytes_before, pairs - 1);
    number(numbers, bytes);
    number(before, bytes_before);
    add(pairs, bytes, numbers, before);
  }

  [[nodiscard, gnu::always_inline]] Survey result() const noexcept {
    const DevicePair greatest{{63, 127}, {63, 127}};
    const DevicePair source{{-1, -1}, {0, 0}};
    Bytes most;
    Bytes sources;
    load_devices(most, std::array{greatest, greatest, greatest, greatest}.data());
    load_same(sources, source);
    const Bytes wrong =
        reinterpret_cast<Bytes>(highest > most) | (reinterpret_cast<Bytes>(~ascending) & sources);
    const auto halves = reinterpret_cast<Halves>(wrong);
    return {(halves[0] | halves[1]) == 0, indices};
  }
};

/// Of a map of four pairs or more.
Survey survey_of(std::span<const DevicePair> map) noexcept {
  Surveyor surveyor;
  const DevicePair* const last = map.data() + map.size() - 4;
  surveyor.add_first(map.data());
  for (const DevicePair* four = map.data() + 4; four < last; four += 4) surveyor.add_next(four);
  // The last four, of which some may have been there already: to see them again changes nothing.
  if (map.size() > 4) surveyor.add_next(last);
  return surveyor.result();
}

BadValue first_bad_pair(std::span<const DevicePair> map) noexcept {
  if (map.size() > max_device_pairs) return {Field::device_map_size};
  if (map.size() < 4 || !survey_of(map).in_order) {
    if (const BadValue bad = first_misplaced(map); bad.field != Field::none) return bad;
  }
  const std::size_t repeated = first_repeated_target(map);
  if (repeated < map.size()) return {Field::device_map_target, repeated};
  return {};
}

}  // namespace

bool pairs_valid(std::span<const DevicePair> map) noexcept {
  if (map.size() > max_device_pairs) return false;
  if (map.size() < 4) return first_misplaced(map).field == Field::none && few_targets_differ(map);
  const Survey survey = survey_of(map);
  if (!survey.in_order) return false;
  // As many bits as targets: no two have one index, let alone all else. Quick to see, and usual.
  return static_cast<std::size_t>(std::popcount(survey.indices)) == map.size() ||
         first_repeated_target(map) == map.size();
}

BadValue first_bad_value(const AutogradMetadata& m, std::span<const DevicePair> map,
                         std::uint8_t retain_graph) noexcept {
  if (m.context_id < -1) return {Field::context_id};
  if (m.message_id < -1) return {Field::message_id};
  if (m.from_worker_id < -1) return {Field::from_worker_id};
  if (const BadValue bad = first_bad_pair(map); bad.field != Field::none) return bad;
  if (retain_graph > 1) return {Field::retain_graph};
  if (m.rref_created_on < -1) return {Field::rref_created_on};
  if (m.rref_local_id < -1) return {Field::rref_local_id};
  return {};
}

}  // namespace detail
}  // namespace v0
}  // namespace gradtail
