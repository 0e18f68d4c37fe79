// SPDX-License-Identifier: Apache-2.0
// Frames on a TCP connection: a 4-byte little-endian length and the message, nothing else.
#pragma once

#include <array>
#include <asio.hpp>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "program.hpp"

namespace two_workers {

using asio::ip::tcp;
using Bytes = std::span<const std::byte>;

static_assert(std::endian::native == std::endian::little, "numbers are sent as they are in memory");
static_assert(__STDCPP_DEFAULT_NEW_ALIGNMENT__ >= alignof(double), "std::vector aligns a message");

/// Descriptors of both ends of a TCP connection within this machine, made before the processes
/// part.
inline std::array<int, 2> make_connection() {
  asio::io_context context;
  tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  std::array ends{tcp::socket(context), tcp::socket(context)};
  ends[1].connect(acceptor.local_endpoint());
  acceptor.accept(ends[0]);
  // A message is sent whole: there is nothing more to wait for.
  for (tcp::socket& end : ends) end.set_option(tcp::no_delay(true));
  return {ends[0].release(), ends[1].release()};
}

/// One end of a connection.
class Connection {
 public:
  /// No message of this program comes near it. Without a limit, four hostile bytes could make this
  /// process allocate 4 GiB.
  static constexpr std::uint32_t max_message_size = 1 << 20;

  /// Takes over the descriptor. `peer` names the other end in errors; `patience` is how long it may
  /// leave this end waiting.
  Connection(int descriptor, std::string peer, std::chrono::seconds patience)
      : socket_(context_, tcp::v4(), descriptor), peer_(std::move(peer)), patience_(patience) {}

  /// Sends one frame in one gather write, its pieces from where they are. Throws std::runtime_error
  /// if the peer is gone or hangs.
  void send(std::span<const Bytes> pieces) {
    std::size_t size = 0;
    for (const Bytes piece : pieces) size += piece.size();
    if (size > max_message_size) throw std::runtime_error("a message is too large to be sent");
    const auto length = std::bit_cast<Length>(static_cast<std::uint32_t>(size));
    std::vector<asio::const_buffer> buffers{asio::buffer(length)};
    for (const Bytes piece : pieces) buffers.emplace_back(piece.data(), piece.size());
    const auto [error, sent] =
        complete([&](auto handler) { asio::async_write(socket_, buffers, handler); });
    if (error == asio::error::would_block) throw std::runtime_error(peer_ + " stopped reading");
    if (error) throw std::runtime_error(peer_ + " is gone: it closed the connection");
  }

  /// The next message; nothing if the peer closed the connection between two frames. Its memory is
  /// aligned for any number, and so is a payload that begins with doubles. Throws
  /// std::runtime_error if the frame is cut short or too large, or none comes in time.
  [[nodiscard]] std::optional<std::vector<std::byte>> receive() {
    Length length;
    if (!fill(length, true)) return std::nullopt;
    const auto size = std::bit_cast<std::uint32_t>(length);
    if (size > max_message_size) {
      throw std::runtime_error(text(peer_, " announced a message of ", size, " bytes; at most ",
                                    max_message_size, " are accepted"));
    }
    std::vector<std::byte> message(size);
    (void)fill(message, false);
    return message;
  }

  /// Bytes on the wire of a message of this size.
  static constexpr std::size_t frame_size(std::size_t message_size) {
    return sizeof(Length) + message_size;
  }

 private:
  using Length = std::array<std::byte, sizeof(std::uint32_t)>;

  // False if the peer closed the connection before the first byte, where it may end.
  bool fill(std::span<std::byte> room, bool may_end) {
    const auto [error, received] = complete([&](auto handler) {
      asio::async_read(socket_, asio::buffer(room.data(), room.size()), handler);
    });
    if (!error) return true;
    if (error == asio::error::would_block) {
      throw std::runtime_error(text(peer_, " sent nothing for ", patience_.count(),
                                    " s: it hangs, or has been stopped"));
    }
    if (may_end && received == 0) return false;
    throw std::runtime_error(peer_ + " is gone: it closed the connection in the middle of a frame");
  }

  // Runs one asynchronous operation. Its result is would_block if the time was up first.
  template <class Start>
  std::pair<std::error_code, std::size_t> complete(Start start) {
    std::pair<std::error_code, std::size_t> result{asio::error::would_block, 0};
    start([&](const std::error_code& error, std::size_t size) { result = {error, size}; });
    context_.restart();
    context_.run_for(patience_);
    if (result.first == asio::error::would_block) {
      socket_.close();  // the operation ends while its result and its memory are there
      context_.run();
      result.first = asio::error::would_block;
    }
    return result;
  }

  asio::io_context context_;
  tcp::socket socket_;
  std::string peer_;
  std::chrono::seconds patience_;
};

}  // namespace two_workers
