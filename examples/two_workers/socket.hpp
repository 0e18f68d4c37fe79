// SPDX-License-Identifier: Apache-2.0
// TCP on 127.0.0.1: whole buffers in and out, within a time limit.
#pragma once

#include <sys/uio.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace two_workers {

using Deadline = std::chrono::steady_clock::time_point;

/// What became of a transfer. All else that can go wrong is thrown as std::system_error.
enum class Transfer : std::uint8_t { complete, peer_closed, timed_out };

/// Owns a socket.
class Socket {
 public:
  /// Listens on a port that the kernel chooses.
  [[nodiscard]] static Socket listen();
  /// Connects to a port that is listened on.
  [[nodiscard]] static Socket connect(std::uint16_t port);

  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  ~Socket() { close(); }

  /// Closes it before its end of life. Its copy in another process stays open.
  void close() noexcept;

  /// The port that it listens on.
  [[nodiscard]] std::uint16_t port() const;
  /// The next connection. Throws std::runtime_error if there is none in time.
  [[nodiscard]] Socket accept(Deadline deadline) const;

  /// Sends all pieces, in one system call if the kernel takes them. Uses `pieces` up.
  [[nodiscard]] Transfer send(std::span<iovec> pieces, Deadline deadline) const;
  /// Fills `room`. `received` says how much of it was filled, whatever the outcome.
  [[nodiscard]] Transfer receive(std::span<std::byte> room, Deadline deadline,
                                 std::size_t& received) const;

 private:
  explicit Socket(int descriptor) noexcept : descriptor_(descriptor) {}
  [[nodiscard]] bool wait_for(short event, Deadline deadline) const;

  int descriptor_;
};

}  // namespace two_workers
