// SPDX-License-Identifier: Apache-2.0
// Damaged golden messages: never a crash, never other values than were sent.
#include <doctest/doctest.h>

#include <array>

#include "golden.hpp"
#include "gradtail/open.hpp"
#include "poke.hpp"
#include "printing.hpp"

using gradtail::AutogradMetadata;
using reference::Bytes;

namespace {

/// Whether the damaged bytes open at all. Walks all that a view gives.
bool opens(std::span<const std::byte> bytes) {
  const auto opened = gradtail::open(bytes);
  if (!opened) return false;
  int sum = 0;
  for (const auto& [source, target] : opened->metadata().device_map)
    sum += source.type - target.type;
  return sum != 1 << 30;
}

/// Flips that open() must refuse, made and undone in place.
void check_flips_refused(const Golden& golden, std::size_t first_bit, std::size_t second_bit) {
  static Bytes bytes;
  if (bytes != golden.message) bytes = golden.message;
  flip(bytes, first_bit);
  if (second_bit != first_bit) flip(bytes, second_bit);
  if (opens(bytes)) FAIL(golden.name << ": " << first_bit << " " << second_bit);
  flip(bytes, first_bit);
  if (second_bit != first_bit) flip(bytes, second_bit);
}

std::size_t first_trailer_bit(const Golden& golden) { return 8 * golden.payload_size; }

}  // namespace

TEST_CASE("no truncation and no cut at the front is accepted, but for whole inner messages") {
  for (const Golden& golden : load_golden()) {
    if (golden.payload_size > 1024) continue;
    const Bytes& message = golden.message;
    for (std::size_t size = 0; size < message.size(); ++size) {
      const std::span<const std::byte> all = message;
      const bool inner = golden.name.starts_with("stacked") && size <= golden.payload_size;
      if (!inner && opens(all.first(size))) FAIL(golden.name << " cut to " << size);
      if (opens(all.last(size))) FAIL(golden.name << ", its last " << size);
    }
  }
}

TEST_CASE("every one-bit flip of every trailer is refused") {
  for (const Golden& golden : load_golden()) {
    for (std::size_t bit = first_trailer_bit(golden); bit < 8 * golden.message.size(); ++bit) {
      check_flips_refused(golden, bit, bit);
    }
  }
}

TEST_CASE("every two-bit flip of every trailer up to 128 bytes, and of a large one, is refused") {
  for (const Golden& golden : load_golden()) {
    if (golden.trailer_size > 128 && golden.name != "map_128") continue;
    if (golden.payload_size > 64) continue;
    const std::size_t end = 8 * golden.message.size();
    for (std::size_t a = first_trailer_bit(golden); a < end; ++a) {
      for (std::size_t b = a + 1; b < end; ++b) check_flips_refused(golden, a, b);
    }
  }
}

TEST_CASE("insertions and deletions of 1, 8 and 16 bytes are refused") {
  for (const Golden& golden : load_golden()) {
    if (golden.payload_size > 1024) continue;
    for (const std::size_t count : std::array<std::size_t, 3>{1, 8, 16}) {
      for (std::size_t at = 0; at <= golden.message.size(); ++at) {
        for (const unsigned fill : {0x00U, 0xFFU}) {
          Bytes longer = golden.message;
          longer.insert(longer.begin() + static_cast<std::ptrdiff_t>(at), count,
                        static_cast<std::byte>(fill));
          if (opens(longer)) FAIL(golden.name << ": " << count << " more at " << at);
        }
        if (at + count > golden.message.size()) continue;
        Bytes shorter = golden.message;
        const auto from = shorter.begin() + static_cast<std::ptrdiff_t>(at);
        shorter.erase(from, from + static_cast<std::ptrdiff_t>(count));
        const bool inner =
            golden.name.starts_with("stacked") && shorter.size() == golden.payload_size;
        if (!inner && opens(shorter)) FAIL(golden.name << ": " << count << " less at " << at);
      }
    }
  }
}
