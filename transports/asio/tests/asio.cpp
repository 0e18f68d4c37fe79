// SPDX-License-Identifier: Apache-2.0
// Asio's buffers and iovecs as segments, and the code of transports/asio/README.md does what the
// page says.
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <asio.hpp>
#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "gradtail/gradtail.hpp"
#include "page.hpp"
#include "printing.hpp"
#include "reference.hpp"

using reference::Bytes;

namespace page {

std::vector<std::error_code> ends;

void sent(std::error_code error) { ends.push_back(error); }
void received(std::error_code error) { ends.push_back(error); }

#include "asio.inc"

}  // namespace page

using namespace page;

namespace {

Bytes handled() {
  const auto bytes = std::as_bytes(std::span(handled_payload));
  return {bytes.begin(), bytes.end()};
}

/// Two connected sockets of one service.
struct Connection {
  Connection() {
    using asio::ip::tcp;
    tcp::acceptor acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    first.connect(acceptor.local_endpoint());
    acceptor.accept(second);
    handled_payload.clear();
    ends.clear();
    failure.clear();
  }

  asio::io_context io;
  asio::ip::tcp::socket first{io};
  asio::ip::tcp::socket second{io};
};

std::shared_ptr<Incoming> blocks_of(std::initializer_list<std::size_t> sizes) {
  auto in = std::make_shared<Incoming>();
  for (const std::size_t size : sizes) in->blocks.emplace_back(size, std::byte{0xEE});
  return in;
}

/// Two connected sockets that keep messages whole.
struct Packets {
  Packets() {
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets.data()) == 0);
    handled_payload.clear();
  }
  Packets(const Packets&) = delete;
  Packets& operator=(const Packets&) = delete;
  ~Packets() {
    for (const int socket : sockets) close(socket);
  }

  std::array<int, 2> sockets{};
};

}  // namespace

TEST_CASE("sequences of Asio's buffers are segments, and nothing is copied") {
  Bytes message = reference::message_of(12, reference::mapped);
  gradtail::TrailerScratch scratch;
  const auto opens = [&](const auto& buffers) {
    const auto opened = gradtail::open(buffers, scratch);
    REQUIRE(opened);
    CHECK(opened->metadata() == reference::mapped);
    CHECK((*opened->payload().begin()).data() == message.data());
  };
  const auto all = asio::buffer(message);
  const auto first = asio::buffer(all, 40);
  opens(std::array<asio::mutable_buffer, 2>{first, all + 40});
  opens(std::vector<asio::const_buffer>{first, all + 40});
  opens(std::list<asio::const_buffer>{all});
  opens(asio::const_buffers_1(all));
  opens(asio::mutable_buffers_1(all));
}

TEST_CASE("a payload in a sequence of buffers and its trailer are one message") {
  const Bytes payload = reference::payload_of(100);
  std::vector<asio::const_buffer> buffers = {asio::buffer(payload, 30), asio::buffer(payload) + 30};
  const auto trailer = gradtail::Trailer::make(reference::full, asio::buffer_size(buffers));
  REQUIRE(trailer);
  buffers.push_back(asio::buffer(trailer->bytes().data(), trailer->bytes().size()));
  Bytes sent(asio::buffer_size(buffers));
  asio::buffer_copy(asio::buffer(sent), buffers);
  CHECK(sent == reference::message_of(100, reference::full));
}

TEST_CASE("what the Asio page sends it receives, wherever the blocks end") {
  const Bytes payload = reference::payload_of(20);
  for (std::size_t at = 0; at <= 20 + 64; ++at) {
    Connection connection;
    REQUIRE(send(connection.first, payload, reference::forward));
    receive(connection.second, blocks_of({at, 7, 100}));
    connection.io.run();
    CHECK(ends == std::vector<std::error_code>(2));
    CHECK(handled() == payload);
    CHECK(failure.empty());
  }
}

TEST_CASE("the Asio page refuses what is too long, damaged or cut off") {
  Connection connection;
  CHECK_FALSE(send(connection.first, {}, {.context_id = -2}));
  CHECK(failure.starts_with("invalid at byte 0: context_id"));
  REQUIRE(send(connection.first, Bytes(100), reference::forward));
  receive(connection.second, blocks_of({100, 63}));
  connection.io.run();
  CHECK(ends == std::vector<std::error_code>{{}, asio::error::message_size});
  Connection other;
  asio::write(other.first, asio::buffer(std::string("\x14\0\0\0\0\0\0\0"
                                                    "a message of 20 chars",
                                                    28)));
  receive(other.second, blocks_of({100}));
  other.io.run();
  CHECK(failure.starts_with("absent at byte 16"));
  other.io.restart();
  other.first.close();
  receive(other.second, blocks_of({100}));
  other.io.run();
  CHECK(ends == std::vector<std::error_code>{asio::error::eof});
}

TEST_CASE("what the POSIX page sends it receives, wherever the buffers end") {
  const Bytes payload = reference::payload_of(20);
  for (std::size_t at = 0; at <= 20 + 72; ++at) {
    const Packets packets;
    REQUIRE(send_whole(packets.sockets[0], payload, reference::mapped));
    Bytes memory(300, std::byte{0xEE});
    iovec room[] = {{memory.data(), at}, {memory.data() + at, 5}, {memory.data() + at + 5, 150}};
    REQUIRE(receive_whole(packets.sockets[1], room));
    CHECK(handled() == payload);
  }
}

TEST_CASE("the POSIX page refuses what its buffers have no room for") {
  const Packets packets;
  REQUIRE(send_whole(packets.sockets[0], Bytes(20), reference::forward));
  Bytes memory(83);
  iovec room[] = {{memory.data(), memory.size()}};
  CHECK_FALSE(receive_whole(packets.sockets[1], room));
  CHECK_FALSE(send_whole(packets.sockets[0], Bytes(20), {.context_id = -2}));
}
