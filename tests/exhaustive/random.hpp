// SPDX-License-Identifier: Apache-2.0
// Random numbers in about a nanosecond, the same for the same seed everywhere.
#pragma once

#include <cstddef>
#include <cstdint>

/// xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled",
/// 2016).
class Random {
 public:
  /// Streams of different numbers of one seed have nothing to do with each other.
  Random(std::uint64_t seed, std::uint64_t stream) : state_(mix(mix(seed) + stream) | 1) {}

  std::uint64_t next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1D;
  }

  /// 0..limit-1, for limits below 2^32.
  std::size_t below(std::size_t limit) {
    return static_cast<std::size_t>((next() >> 32) * limit >> 32);
  }

  /// True once in `times`.
  bool once_in(std::size_t times) { return below(times) == 0; }

 private:
  static std::uint64_t mix(std::uint64_t value) {  // splitmix64's step
    value += 0x9E3779B97F4A7C15;
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9;
    value = (value ^ value >> 27) * 0x94D049BB133111EB;
    return value ^ value >> 31;
  }

  std::uint64_t state_;
};
