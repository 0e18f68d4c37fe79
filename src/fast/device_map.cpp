// SPDX-License-Identifier: Apache-2.0
// Checks device maps four pairs at a time.
#include "fast/device_map.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "gradtail/wire.hpp"
#include "validate.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail::fast {
namespace {

/// Pairwise comparison: fastest for maps this small.
bool few_targets_differ(std::span<const DevicePair> map) noexcept {
  for (std::size_t i = 1; i < map.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      if (map[k].target == map[i].target) return false;
    }
  }
  return true;
}

/// Whether devices are in range and sources ascend.
bool few_are_in_order(std::span<const DevicePair> map) noexcept {
  for (std::size_t i = 0; i < map.size(); ++i) {
    const auto [source, target] = map[i];
    if (!type_valid(source) || !type_valid(target)) return false;
    if (!index_valid(source) || !index_valid(target)) return false;
    if (i > 0 && !source_before(map[i - 1], map[i])) return false;
  }
  return true;
}

// Four pairs in a vector, for which gcc and clang use what the machine has. Passed by reference
// only: machines without vectors have no convention for passing them by value.
using Bytes [[gnu::vector_size(16)]] = std::uint8_t;
using Numbers [[gnu::vector_size(16)]] = std::int16_t;  // one for each device
using UnsignedNumbers [[gnu::vector_size(16)]] = std::uint16_t;
using Pairs [[gnu::vector_size(16)]] = std::uint32_t;
using Halves [[gnu::vector_size(16)]] = std::uint64_t;

[[gnu::always_inline]] inline void load_four(Bytes& bytes, const DevicePair* pairs) noexcept {
  std::memcpy(&bytes, pairs, sizeof bytes);
}

[[gnu::always_inline]] inline void load_same(Bytes& bytes, DevicePair pair) noexcept {
  const DevicePair four[] = {pair, pair, pair, pair};
  load_four(bytes, four);
}

/// Type and index + 1 of each device, as unsigned bytes: what is out of range is too large.
[[gnu::always_inline]] inline void load_devices(Bytes& bytes, const DevicePair* pairs) noexcept {
  Bytes lowest;
  load_same(lowest, {{0, -1}, {0, -1}});
  load_four(bytes, pairs);
  bytes -= lowest;
}

/// type * 256 + index + 1 for each device: the order of these numbers is that of the wire.
[[gnu::always_inline]] inline void number(Numbers& numbers, const Bytes& bytes) noexcept {
  auto words = reinterpret_cast<UnsignedNumbers>(bytes);
  if constexpr (std::endian::native == std::endian::little) words = words << 8 | words >> 8;
  numbers = reinterpret_cast<Numbers>(words);
}

/// What one pass over a map finds.
struct Survey {
  bool in_order;          ///< devices are in range, and sources ascend
  std::uint64_t indices;  ///< one of 64 bits for the index of each target
};

/// Collects a survey, four pairs at a time, without a branch.
struct Surveyor {
  Bytes highest{};
  Numbers ascending = ~Numbers{};  // all ones where each number was greater than its predecessor
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

  /// The first four. -1 is the number of the pair before the first.
  [[gnu::always_inline]] void add_first(const DevicePair* pairs) noexcept {
    Bytes bytes;
    Numbers numbers;
    load_devices(bytes, pairs);
    number(numbers, bytes);
    const auto pairs_here = reinterpret_cast<Pairs>(numbers);
#if __has_builtin(__builtin_shufflevector)
    const auto shifted = __builtin_shufflevector(~Pairs{}, pairs_here, 0, 4, 5, 6);
#else  // gcc 11
    const Pairs shifted{(~Pairs{})[0], pairs_here[0], pairs_here[1], pairs_here[2]};
#endif
    add(pairs, bytes, numbers, reinterpret_cast<Numbers>(shifted));
  }

  /// Four more. Their predecessors are loaded from one pair earlier.
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

/// The map has four pairs or more.
Survey survey_of(std::span<const DevicePair> map) noexcept {
  Surveyor surveyor;
  const DevicePair* const last = map.data() + map.size() - 4;
  surveyor.add_first(map.data());
  for (const DevicePair* four = map.data() + 4; four < last; four += 4) surveyor.add_next(four);
  // The last four. Seeing some of them again changes nothing.
  if (map.size() > 4) surveyor.add_next(last);
  return surveyor.result();
}

}  // namespace

bool is_in_order(std::span<const DevicePair> map) noexcept {
  return map.size() >= 4 && survey_of(map).in_order;
}

bool is_valid_map(std::span<const DevicePair> map) noexcept {
  if (map.size() > max_device_pairs) return false;
  if (map.size() < 4) return few_are_in_order(map) && few_targets_differ(map);
  const Survey survey = survey_of(map);
  if (!survey.in_order) return false;
  // As many bits as targets: all have different indices. A quick check, and the common case.
  return static_cast<std::size_t>(std::popcount(survey.indices)) == map.size() ||
         first_repeated(map, &DevicePair::target) == map.size();
}

}  // namespace detail::fast
}  // namespace GRADTAIL_ABI
}  // namespace gradtail
