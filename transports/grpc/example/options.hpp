// SPDX-License-Identifier: Apache-2.0
// The command line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>

namespace grpc_stream {

struct Options {
  std::string listen;   ///< HOST:PORT, or empty
  std::string connect;  ///< HOST:PORT, or empty
  std::size_t passes = 8;
  std::size_t messages = 16;  ///< of each pass
  std::size_t floats = 1024;  ///< of each message
  std::int32_t worker = 1;
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

}  // namespace grpc_stream
