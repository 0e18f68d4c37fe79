// SPDX-License-Identifier: Apache-2.0
// The program's commands and their options. Each returns the exit status; see failure.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gradtail/metadata.hpp"
#include "gradtail/wire.hpp"
#include "input.hpp"

namespace gradtail::cli {

struct InspectOptions {
  std::string file;
  Encoding encoding = Encoding::automatic;
  std::optional<std::uint64_t> payload_size;  ///< the file is a detached trailer
  std::size_t limit = Limits{}.trailer_size;
  bool all = false;  ///< also the trailers inside the payload
  bool json = false;
  bool color = false;
};

/// Prints everything that is in a message.
int inspect(const InspectOptions& options);

struct CheckOptions {
  std::vector<std::string> files;  ///< or directories
  Encoding encoding = Encoding::raw;
  std::size_t limit = Limits{}.trailer_size;
  bool quiet = false;  ///< only what is refused
};

/// Prints a line for each message.
int check(const CheckOptions& options);

struct MakeOptions {
  AutogradMetadata metadata;  ///< without its device map
  std::vector<DevicePair> device_map;
  std::optional<std::string> payload_file;
  std::string payload_text;
  std::optional<std::uint64_t> detached_payload_size;  ///< the trailer alone, for this payload
  std::string output = "-";
};

/// Writes a message.
int make(const MakeOptions& options);

struct StripOptions {
  std::string file;
  Encoding encoding = Encoding::raw;
  std::size_t limit = Limits{}.trailer_size;
  std::optional<std::string> payload_output;
  std::optional<std::string> trailer_output;
};

/// Writes a message's payload and trailer apart.
int strip(const StripOptions& options);

}  // namespace gradtail::cli
