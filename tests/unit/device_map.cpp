// SPDX-License-Identifier: Apache-2.0
// What is said of a device map is what the oracle says.
#include "fast/device_map.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <random>
#include <vector>

#include "gradtail/write.hpp"
#include "guarded_memory.hpp"
#include "oracle.hpp"
#include "reference.hpp"
#include "validate.hpp"

using gradtail::AutogradMetadata;
using gradtail::Device;
using gradtail::DevicePair;
using gradtail::Field;
using gradtail::detail::first_bad_pair;
using gradtail::detail::PairOrder;
using Map = std::vector<DevicePair>;

namespace {

#if GRADTAIL_FAST_PATH
using gradtail::detail::fast::is_valid_map;
#else
bool is_valid_map(std::span<const DevicePair> map) {
  return first_bad_pair(map, PairOrder::wire).field == Field::none;
}
#endif

void check_agrees(const Map& map) {
  const oracle::BadPair plain = oracle::bad_pair(map);
  const auto bad = first_bad_pair(map, PairOrder::wire);
  if (is_valid_map(map) != (plain.field == Field::none) || bad.field != plain.field ||
      bad.pair != plain.pair) {
    FAIL(gradtail::to_string(AutogradMetadata{.device_map = map}));
  }
}

Map with_byte(Map map, std::size_t at, int value) {
  reinterpret_cast<std::int8_t*>(map.data())[at] = static_cast<std::int8_t>(value);
  return map;
}

/// `count` pairs in good order, whose targets share no index where there are that many.
Map plain_pairs(std::size_t count) {
  Map map;
  for (std::size_t i = 0; i < count; ++i) {
    const auto type = static_cast<std::int8_t>(i / 64);
    const auto index = static_cast<std::int8_t>(i % 64);
    map.push_back({{type, index}, {type, static_cast<std::int8_t>(63 - index)}});
  }
  return map;
}

}  // namespace

TEST_CASE("every value of every byte, in maps of few pairs") {
  for (const std::size_t count : std::array<std::size_t, 9>{1, 2, 3, 4, 5, 6, 7, 8, 9}) {
    for (const Map& map : {reference::pairs(count), plain_pairs(count)}) {
      for (std::size_t at = 0; at < 4 * count; ++at) {
        for (int value = -128; value < 128; ++value) check_agrees(with_byte(map, at, value));
      }
    }
  }
}

TEST_CASE("one other byte anywhere in maps of every size") {
  constexpr int values[] = {-128, -2, -1, 64, 127};
  for (std::size_t count = 0; count <= 130; ++count) {
    const Map map = plain_pairs(count);
    check_agrees(map);
    check_agrees(reference::pairs(count));
    for (std::size_t at = 0; at < 4 * count; ++at) {
      check_agrees(with_byte(map, at, values[(at + count) % std::size(values)]));
    }
  }
}

TEST_CASE("a source or a target again, anywhere in maps of every size") {
  for (std::size_t count = 2; count <= 128; ++count) {
    const Map map = plain_pairs(count);
    for (std::size_t i = 1; i < count; ++i) {
      Map changed = map;
      changed[i].source = changed[i - 1].source;
      check_agrees(changed);
      changed = map;
      std::swap(changed[i].source, changed[i - 1].source);
      check_agrees(changed);
      for (const std::size_t k : {std::size_t{0}, i - 1, i / 2}) {
        changed = map;
        changed[i].target = changed[k].target;
        check_agrees(changed);
      }
    }
  }
}

TEST_CASE("a target that is there many times") {
  for (std::size_t count = 2; count <= 128; ++count) {
    for (const int index : {-1, 0, 31, 63, 127}) {
      Map map = plain_pairs(count);
      for (DevicePair& pair : map) pair.target.index = static_cast<std::int8_t>(index);
      check_agrees(map);
    }
  }
}

TEST_CASE("neighbours of all types and indices that matter") {
  std::vector<Device> devices;
  for (const int type : {-128, -1, 0, 1, 2, 3, 62, 63, 64, 127}) {
    for (const int index : {-128, -127, -2, -1, 0, 1, 62, 63, 64, 126, 127}) {
      devices.push_back({static_cast<std::int8_t>(type), static_cast<std::int8_t>(index)});
    }
  }
  for (const Device a : devices) {
    for (const Device b : devices) {
      check_agrees({{a, b}});
      check_agrees({{a, {0, 0}}, {b, {0, 1}}});
      check_agrees({{{0, 0}, a}, {{0, 1}, b}});
      check_agrees({{{0, 0}, a}, {{0, 1}, {9, 9}}, {{0, 2}, b}, {{0, 3}, {8, 8}}});
      // In four, in the next four, and across the border.
      for (std::size_t i = 0; i < 8; ++i) {
        Map map = plain_pairs(9);
        map[i].source = a;
        map[i + 1].source = b;
        check_agrees(map);
        // With nothing else between them and the ends, so that only these two decide.
        for (std::size_t k = 0; k < i; ++k) map[k].source = {0, static_cast<std::int8_t>(k - 1)};
        for (std::size_t k = i + 2; k < 9; ++k)
          map[k].source = {63, static_cast<std::int8_t>(119 + k)};
        check_agrees(map);
      }
    }
  }
}

TEST_CASE("maps at random, most of them good but for a byte") {
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    Map map(random() % 131);
    for (DevicePair& pair : map) {
      const auto device = [&] {
        return Device{static_cast<std::int8_t>(random() % 64),
                      static_cast<std::int8_t>(random() % 129 - 1)};
      };
      pair = {device(), device()};
    }
    check_agrees(map);
    std::ranges::sort(map, gradtail::detail::source_before);
    check_agrees(map);
    if (!map.empty()) {
      check_agrees(with_byte(map, random() % (4 * map.size()), static_cast<int>(random() % 256)));
    }
  }
}

TEST_CASE("no pair outside of a map is looked at") {
  const guarded::Fenced memory;
  for (std::size_t count = 1; count <= 128; ++count) {
    Map map = plain_pairs(count);
    for (int round = 0; round < 2; ++round) {
      for (const auto room : {memory.front(4 * count), memory.back(4 * count)}) {
        std::ranges::copy(std::as_bytes(std::span(map)), room.begin());
        const std::span fenced{reinterpret_cast<const DevicePair*>(room.data()), count};
        const bool good = round == 0;
        CHECK(is_valid_map(fenced) == good);
        CHECK((first_bad_pair(fenced, PairOrder::wire).field == Field::none) == good);
        std::array<std::byte, gradtail::max_trailer_size> trailer;
        CHECK(gradtail::write_trailer(trailer, {.device_map = fenced}, 0).has_value() == good);
      }
      map.back().target = {64, 0};
    }
  }
}
