// SPDX-License-Identifier: Apache-2.0
// Two processes exchange messages over TCP with Asio: gather writes, and reads into several buffers
// that have room for more.
#include "exchange.hpp"

#include <algorithm>
#include <array>
#include <asio.hpp>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "gradtail/gradtail.hpp"
#include "two_processes.hpp"

using asio::ip::tcp;

namespace {

using Piece = std::span<const std::byte>;

/// The largest message that an end takes.
constexpr std::uint64_t most = exchange::most + gradtail::max_trailer_size;

/// Buffers to receive a message into. From request to request the first two end at other bytes of
/// the trailer, and the last is larger than what is left for it.
class Room {
 public:
  Room(std::uint64_t size, std::size_t number) {
    exchange::require(size <= most, "a message of " + std::to_string(size) + " bytes");
    const std::size_t behind = std::min<std::size_t>(size, number % 137);
    const std::size_t second = std::min<std::size_t>(behind, number / 137);
    const std::size_t sizes[] = {size - behind, second, behind - second + 100};
    for (std::size_t i = 0; i < buffers_.size(); ++i) {
      memory_[i] = std::make_unique_for_overwrite<std::byte[]>(sizes[i]);
      buffers_[i] = {memory_[i].get(), sizes[i]};
    }
  }

  [[nodiscard]] const auto& buffers() const { return buffers_; }

 private:
  std::array<std::unique_ptr<std::byte[]>, 3> memory_;
  std::array<asio::mutable_buffer, 3> buffers_;
};

/// Sends the message's size, the payload and the trailer, each from where it is.
void send(tcp::socket& socket, Piece payload, Piece trailer) {
  const std::uint64_t size = payload.size() + trailer.size();
  const std::array<asio::const_buffer, 3> buffers = {asio::buffer(&size, sizeof size),
                                                     asio::buffer(payload.data(), payload.size()),
                                                     asio::buffer(trailer.data(), trailer.size())};
  asio::write(socket, buffers);
}

void send(tcp::socket& socket, Piece payload, const gradtail::AutogradMetadata& metadata) {
  const auto trailer = gradtail::Trailer::make(metadata, payload.size());
  exchange::require(trailer.has_value(), "the metadata was refused");
  send(socket, payload, trailer->bytes());
}

void send_request(tcp::socket& socket, std::size_t number) {
  const exchange::Request request = exchange::request(number);
  if (request.damage == exchange::Damage::none) {
    return send(socket, exchange::payload_of(number), request.metadata);
  }
  const exchange::Raw damaged = exchange::damaged(number);
  send(socket, damaged.payload(), damaged.trailer());
}

/// Receives a message and hands what `open` makes of it to `take`.
template <class Take>
void receive(tcp::socket& socket, std::size_t number, Take take) {
  std::uint64_t size = 0;
  asio::read(socket, asio::buffer(&size, sizeof size));
  const Room room(size, number);
  asio::read(socket, room.buffers(), asio::transfer_exactly(size));
  gradtail::TrailerScratch scratch;
  take(gradtail::open(gradtail::first(room.buffers(), size), scratch), room);
}

void serve(const two_processes::Ready& ready) {
  asio::io_context io;
  tcp::acceptor acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  ready(acceptor.local_endpoint().port());
  tcp::socket socket = acceptor.accept();
  for (std::size_t number = 0; number < exchange::count; ++number) {
    receive(socket, number, [&](const auto& opened, const Room& room) {
      const std::string text = exchange::answer(number, opened, room.buffers());
      send(socket, std::as_bytes(std::span(text)), exchange::answer_metadata(number));
    });
  }
}

void call(std::uint16_t port) {
  asio::io_context io;
  tcp::socket socket(io);
  socket.connect(tcp::endpoint(asio::ip::address_v4::loopback(), port));
  for (std::size_t number = 0; number < exchange::count; ++number) {
    send_request(socket, number);
    receive(socket, number, [&](const auto& opened, const Room& /*room*/) {
      exchange::check_answer(number, opened);
    });
  }
}

}  // namespace

int main() { return two_processes::run("asio", serve, call); }
