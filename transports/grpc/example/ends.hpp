// SPDX-License-Identifier: Apache-2.0
// The two ends of a stream, and what they are told to do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace grpc_stream {

/// What a peer can make the server keep for one stream.
inline constexpr std::size_t max_open_passes = 1024;
inline constexpr std::size_t max_sums = std::size_t{16} << 20;  ///< of all open passes together

/// The client's command line.
struct Options {
  std::string address;  ///< HOST:PORT
  std::size_t passes = 8;
  std::size_t messages = 16;  ///< of each pass
  std::size_t floats = 1024;  ///< of each message
  std::int32_t worker = 1;
};

/// The client: one stream, all of whose answers are checked. Throws std::runtime_error where the
/// server can't be reached, is lost, or an answer is wrong.
void call(const Options& options);

/// The server: any number of streams from any number of clients, at HOST:PORT until SIGINT or
/// SIGTERM. Throws std::runtime_error where it can't listen.
void serve(const std::string& address);

}  // namespace grpc_stream
