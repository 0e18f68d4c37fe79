// SPDX-License-Identifier: Apache-2.0
// Two processes exchange messages over TCP with Asio, both ends asynchronous: gather writes, and
// reads into several buffers.
#include <array>
#include <asio.hpp>
#include <functional>
#include <memory>
#include <system_error>
#include <utility>

#include "stream.hpp"
#include "two_processes.hpp"

using asio::ip::tcp;

namespace {

void require(const std::error_code& error, const char* what) {
  exchange::require(!error, std::string(what) + ": " + error.message());
}

/// One end of the connection. Handlers throw out of io_context::run.
class Channel {
 public:
  using Buffers = std::array<asio::mutable_buffer, 3>;

  explicit Channel(asio::io_context& io) : socket_(io) {}

  tcp::socket& socket() { return socket_; }

  /// The message stays in the handler until it is sent.
  void send(const std::shared_ptr<const stream::Outgoing>& message, std::function<void()> then) {
    std::array<asio::const_buffer, 3> buffers;
    std::ranges::transform(message->pieces(), buffers.begin(), [](auto piece) {
      return asio::const_buffer(piece.data(), piece.size());
    });
    asio::async_write(socket_, buffers,
                      [message, then = std::move(then)](std::error_code error, std::size_t) {
                        require(error, "writing");
                        then();
                      });
  }

  /// Receives a message into buffers that have room for more.
  void receive(std::size_t number,
               std::function<void(const Buffers&, std::size_t, const stream::Room&)> then) {
    asio::async_read(socket_, asio::buffer(&size_, sizeof size_),
                     [this, number, then = std::move(then)](std::error_code error, std::size_t) {
                       require(error, "reading a size");
                       receive_rest(number, then);
                     });
  }

 private:
  void receive_rest(std::size_t number, const auto& then) {
    const auto room = std::make_shared<stream::Room>(size_, number);
    Buffers buffers;
    std::ranges::transform(room->blocks(), buffers.begin(), [](auto block) {
      return asio::mutable_buffer(block.data(), block.size());
    });
    asio::async_read(socket_, buffers, asio::transfer_exactly(size_),
                     [room, buffers, then](std::error_code error, std::size_t count) {
                       require(error, "reading a message");
                       then(buffers, count, *room);
                     });
  }

  tcp::socket socket_;
  std::uint64_t size_ = 0;
};

void serve_next(Channel& channel, std::size_t number) {
  if (number == exchange::count) return;
  channel.receive(
      number, [&channel, number](const auto& buffers, std::size_t count, const stream::Room& room) {
        const auto received = gradtail::first(buffers, count);
        const std::string answer = stream::check_request(number, received, room);
        channel.send(std::make_shared<stream::Outgoing>(number, answer),
                     [&channel, number] { serve_next(channel, number + 1); });
      });
}

void serve(const two_processes::Ready& ready) {
  asio::io_context io;
  tcp::acceptor acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  ready(acceptor.local_endpoint().port());
  Channel channel(io);
  acceptor.async_accept(channel.socket(), [&](std::error_code error) {
    require(error, "accepting");
    serve_next(channel, 0);
  });
  io.run();
}

void call_next(Channel& channel, std::size_t number) {
  if (number == exchange::count) return;
  channel.send(std::make_shared<stream::Outgoing>(number), [&channel, number] {
    channel.receive(
        number, [&channel, number](const auto& buffers, std::size_t count, const stream::Room&) {
          stream::check_answer(number, gradtail::first(buffers, count));
          call_next(channel, number + 1);
        });
  });
}

void call(std::uint16_t port) {
  asio::io_context io;
  Channel channel(io);
  const tcp::endpoint server(asio::ip::address_v4::loopback(), port);
  channel.socket().async_connect(server, [&](std::error_code error) {
    require(error, "connecting");
    call_next(channel, 0);
  });
  io.run();
}

}  // namespace

int main() { return two_processes::run("asio", serve, call); }
