// SPDX-License-Identifier: Apache-2.0
// Random numbers that depend on the seed alone, independent of each other for each use.
#pragma once

#include <cstdint>
#include <random>

namespace two_workers {

enum class Draw : std::uint32_t { hidden_layer, output_layer, flowers, answers };

[[nodiscard]] inline std::mt19937_64 make_random(std::uint64_t seed, Draw draw) {
  // seed_seq keeps 32 bits of each number.
  std::seed_seq sequence{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32),
                         static_cast<std::uint32_t>(draw)};
  return std::mt19937_64(sequence);
}

}  // namespace two_workers
