// SPDX-License-Identifier: Apache-2.0
// Rounds of requests between two processes: one request of each kind, in random order, so that what
// disturbs the machine disturbs all kinds. rounds.py evaluates what is printed.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace rounds {

inline constexpr std::size_t warm_up = 500;

/// `measure(kind)` sends a request and returns an array of the times in ns that it took. Prints a
/// line for each round after the warm-up: the payload's bytes, then the times of each kind.
template <std::size_t kinds, class Measure>
void run(std::size_t payload_size, std::size_t count, Measure measure) {
  std::mt19937 random;  // NOLINT: the same orders in each run
  std::array<std::size_t, kinds> order;
  for (std::size_t kind = 0; kind < kinds; ++kind) order[kind] = kind;
  std::array<decltype(measure(0)), kinds> samples;
  for (std::size_t round = 0; round < warm_up + count; ++round) {
    std::ranges::shuffle(order, random);
    for (const std::size_t kind : order) samples[kind] = measure(kind);
    if (round < warm_up) continue;
    std::printf("%zu", payload_size);
    for (const auto& sample : samples) {
      for (const std::int64_t time : sample) std::printf(" %lld", static_cast<long long>(time));
    }
    std::puts("");
    if ((round - warm_up) % 1000 == 999) {
      std::fprintf(stderr, "\r==> payloads of %zu bytes: %zu of %zu rounds ", payload_size,
                   round - warm_up + 1, count);
    }
  }
  std::fputs("\n", stderr);
}

/// The number of rounds of a command line; 0 if it isn't one.
inline std::size_t parse(const char* text) {
  char* end = nullptr;
  const unsigned long long count = std::strtoull(text, &end, 10);
  return *end == '\0' ? count : 0;
}

}  // namespace rounds
