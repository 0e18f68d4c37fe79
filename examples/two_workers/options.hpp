// SPDX-License-Identifier: Apache-2.0
// The command line.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <stdexcept>

#include "wire.hpp"

namespace two_workers {

struct Options {
  std::uint64_t epochs = 200;
  std::size_t in_flight = 10;
  std::uint64_t seed = 1;
  /// Of what worker 0 and worker 1 send. Without --fault one of worker 1's first answers is
  /// damaged.
  std::array<Faults, 2> faults = {Faults{}, Faults{.damaged_frames = {5}}};
  bool verbose = false;
  bool help = false;
  std::filesystem::path dump_directory = {};
  std::filesystem::path data = TWO_WORKERS_DATA;
};

/// Wrong arguments; what() says which, and what to do.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Throws UsageError. `arguments` are those behind the program's name.
[[nodiscard]] Options parse_options(std::span<const char* const> arguments);

/// The text of --help.
extern const char* const help_text;

}  // namespace two_workers
