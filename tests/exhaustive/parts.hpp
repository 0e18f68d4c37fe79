// SPDX-License-Identifier: Apache-2.0
// The parts that can be run, each in chunks of work that threads share.
#pragma once

#include <cstdint>

#include "tally.hpp"

struct Options {
  std::uint64_t count = 1'000'000'000;  ///< messages of each random part
  std::uint64_t seed = 1;
  unsigned jobs = 1;
};

struct Part {
  const char* name;
  const char* what;
  std::uint64_t (*chunks)(const Options&);
  void (*run)(const Options&, std::uint64_t chunk, Tally&);
  bool reaches_all = false;  ///< every answer about tables must have been given
};

namespace sizes {
std::uint64_t chunks(const Options& options);
void run(const Options& options, std::uint64_t chunk, Tally& tally);
}  // namespace sizes

namespace flips {
std::uint64_t chunks(const Options& options);
void run(const Options& options, std::uint64_t chunk, Tally& tally);
}  // namespace flips

namespace random_tails {
std::uint64_t chunks(const Options& options);
void run_magic(const Options& options, std::uint64_t chunk, Tally& tally);
void run_checksum(const Options& options, std::uint64_t chunk, Tally& tally);
void run_table(const Options& options, std::uint64_t chunk, Tally& tally);
}  // namespace random_tails

inline constexpr Part parts[] = {
    {"sizes", "every trailer_size, all 2^32, in the footer of trailers of 56 and 64 bytes",
     sizes::chunks, sizes::run},
    {"flips", "every 3-bit flip of the footer of each canonical trailer", flips::chunks,
     flips::run},
    {"random-magic", "random messages that end in the magic", random_tails::chunks,
     random_tails::run_magic},
    {"random-checksum", "the same, with version, flags and a legal trailer_size",
     random_tails::chunks, random_tails::run_checksum},
    {"random-table", "random tables with identifier and checksum that hold", random_tails::chunks,
     random_tails::run_table, true},
};
