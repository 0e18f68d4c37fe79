// SPDX-License-Identifier: Apache-2.0
// The command line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>

namespace torch_two_workers {

/// Where worker 0's store listens.
struct Master {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
};

struct Options {
  /// The worker to be; without one, both run on this machine.
  std::optional<std::int16_t> rank = {};
  Master master = {};
  std::string interface = {};
  std::int64_t steps = 100;
  std::int64_t in_flight = 10;
  std::uint64_t seed = 1;
  std::filesystem::path data = TWO_WORKERS_DATA;
  bool help = false;
};

/// Wrong arguments; what() says which, and what to do.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Throws UsageError. `arguments` are those behind the program's name.
[[nodiscard]] Options parse_options(std::span<const char* const> arguments);

/// The text of --help.
extern const char* const help_text;

}  // namespace torch_two_workers
