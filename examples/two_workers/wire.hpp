// SPDX-License-Identifier: Apache-2.0
// Frames on a connection: a 4-byte little-endian length and the message, nothing else.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "socket.hpp"

namespace two_workers {

/// What is done to the frames that a worker sends, to show what the other one makes of it.
struct Faults {
  std::vector<std::uint64_t> damaged_frames = {};  ///< numbers; one bit of each one's trailer
  std::uint64_t seed = 0;                          ///< decides which bit
  bool swap_ids = false;  ///< whether the first two messages with ids get each other's
};

struct WireOptions {
  /// How long a peer that is connected may leave this worker waiting.
  std::chrono::seconds patience{3};
  /// Where each received message is written to a file; empty for nowhere.
  std::filesystem::path dump_directory = {};
  Faults faults = {};
};

/// "worker 0"
[[nodiscard]] std::string worker_name(std::int32_t worker);

/// One end of the connection between two workers. Frames are numbered from 0 as they are sent; TCP
/// keeps their order, so the other end counts the same numbers.
class Connection {
 public:
  using Bytes = std::span<const std::byte>;

  /// Joins worker `self` to worker `peer`.
  Connection(Socket socket, std::int32_t self, std::int32_t peer, WireOptions options);

  [[nodiscard]] std::int32_t self() const { return self_; }
  [[nodiscard]] std::int32_t peer() const { return peer_; }

  /// Sends one frame, in one gather write: the payload's pieces and the trailer from where they
  /// lie. Returns its number. Throws std::runtime_error if the peer is gone or hangs.
  std::uint64_t send(std::span<const Bytes> payload, Bytes trailer);

  struct Frame {
    std::uint64_t number;
    /// The message, aligned for any number: that of a payload that begins with doubles is, too.
    std::vector<std::byte> message;
  };

  /// Bytes on the wire of a message of this size.
  static constexpr std::size_t frame_size(std::size_t message_size) {
    return sizeof(std::uint32_t) + message_size;
  }

  /// The next frame; nothing if the peer closed the connection between two frames.
  /// Throws std::runtime_error if it is cut short or too large, or none comes in time.
  [[nodiscard]] std::optional<Frame> receive();

 private:
  void write(std::span<const Bytes> pieces);
  [[nodiscard]] bool put_fault(std::uint64_t number, std::span<const Bytes> payload, Bytes trailer);
  void swap_ids(std::vector<std::byte> message);
  [[nodiscard]] bool fill(std::span<std::byte> room, bool may_end);
  void dump(const Frame& frame) const;
  [[nodiscard]] Deadline deadline() const;

  Socket socket_;
  std::int32_t self_;
  std::int32_t peer_;
  WireOptions options_;
  std::uint64_t frames_sent_ = 0;
  std::uint64_t frames_received_ = 0;
  std::vector<std::byte> held_back_;  // by the swap, until it has the second message
};

}  // namespace two_workers
