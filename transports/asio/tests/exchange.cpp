// SPDX-License-Identifier: Apache-2.0
// Two processes exchange messages over TCP, with Asio's buffers and then with iovecs: gather
// writes, and reads into several buffers that have room for more.
#include "exchange.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <asio.hpp>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "gradtail/gradtail.hpp"
#include "two_processes.hpp"

using asio::ip::tcp;

namespace {

/// The largest message that an end takes.
constexpr std::uint64_t most = exchange::most + gradtail::max_trailer_size;

/// A message to be sent: three pieces, none of them a copy of the payload. Must stay until sent.
class Outgoing {
 public:
  /// Request `number`, damaged as it has to be.
  explicit Outgoing(std::size_t number)
      : Outgoing(exchange::payload_of(number), exchange::request(number).metadata) {
    const exchange::Damage damage = exchange::request(number).damage;
    if (damage == exchange::Damage::none) return;
    if (damage == exchange::Damage::cut_front) pieces_[1] = pieces_[1].subspan(1);
    damaged_.assign(pieces_[2].begin(), pieces_[2].end());
    exchange::damage_trailer(damaged_, damage);
    pieces_[2] = damaged_;
    size_ = pieces_[1].size() + pieces_[2].size();
  }

  /// The answer to request `number`.
  Outgoing(std::size_t number, std::string_view text)
      : Outgoing(bytes_of(text), exchange::answer_metadata(number)) {}

  Outgoing(const Outgoing&) = delete;
  Outgoing& operator=(const Outgoing&) = delete;

  /// The size, the payload and the trailer.
  [[nodiscard]] std::span<const std::span<const std::byte>, 3> pieces() const { return pieces_; }

 private:
  Outgoing(exchange::Bytes payload, const gradtail::AutogradMetadata& metadata)
      : payload_(std::move(payload)) {
    const auto made = gradtail::Trailer::make(metadata, payload_.size());
    exchange::require(made.has_value(), "the metadata was refused");
    trailer_ = *made;
    size_ = payload_.size() + trailer_.bytes().size();
    pieces_ = {std::as_bytes(std::span(&size_, 1)), payload_, trailer_.bytes()};
  }

  static exchange::Bytes bytes_of(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
  }

  exchange::Bytes payload_;
  gradtail::Trailer trailer_;
  exchange::Bytes damaged_;
  std::uint64_t size_ = 0;
  std::array<std::span<const std::byte>, 3> pieces_;
};

/// Blocks to receive a message into. From request to request the first two end at other bytes of
/// the trailer, and the last is larger than what is left for it.
class Room {
 public:
  Room(std::uint64_t size, std::size_t number) {
    exchange::require(size <= most, "a message of " + std::to_string(size) + " bytes");
    const std::size_t behind = std::min<std::size_t>(size, number % 137);
    const std::size_t second = std::min<std::size_t>(behind, number / 137);
    const std::size_t sizes[] = {size - behind, second, behind - second + 100};
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      memory_[i] = std::make_unique_for_overwrite<std::byte[]>(sizes[i]);
      blocks_[i] = {memory_[i].get(), sizes[i]};
    }
  }

  [[nodiscard]] std::span<const std::span<std::byte>, 3> blocks() const { return blocks_; }

 private:
  std::array<std::unique_ptr<std::byte[]>, 3> memory_;
  std::array<std::span<std::byte>, 3> blocks_;
};

struct WithAsio {
  using Buffers = std::array<asio::mutable_buffer, 3>;

  static void write(tcp::socket& socket, const Buffers& buffers) { asio::write(socket, buffers); }
  static void read(tcp::socket& socket, const Buffers& buffers, std::size_t size) {
    asio::read(socket, buffers, asio::transfer_exactly(size));
  }
};

/// The buffers from their byte `at` up to `end`.
std::vector<iovec> part(std::span<const iovec> all, std::size_t at, std::size_t end) {
  std::vector<iovec> some;
  for (const iovec& whole : all) {
    const std::size_t skipped = std::min(at, whole.iov_len);
    const std::size_t size = std::min(whole.iov_len, end);
    if (size > skipped) {
      some.push_back({static_cast<std::byte*>(whole.iov_base) + skipped, size - skipped});
    }
    at -= skipped;
    end -= size;
  }
  return some;
}

/// Sends or receives `size` bytes of the buffers with as many calls as it takes.
template <class Call>
void transfer(std::span<const iovec> buffers, std::size_t size, Call call) {
  for (std::size_t done = 0; done < size;) {
    std::vector<iovec> left = part(buffers, done, size);
    msghdr header{};
    header.msg_iov = left.data();
    header.msg_iovlen = left.size();
    const ssize_t count = call(header);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw std::system_error(errno, std::generic_category(), "the peer");
    exchange::require(count != 0, "the peer closed the connection");
    done += static_cast<std::size_t>(count);
  }
}

struct WithPosix {
  using Buffers = std::array<iovec, 3>;

  static void write(tcp::socket& socket, const Buffers& buffers) {
    std::size_t size = 0;
    for (const iovec& buffer : buffers) size += buffer.iov_len;
    transfer(buffers, size, [&](msghdr& header) {
      return sendmsg(socket.native_handle(), &header, MSG_NOSIGNAL);
    });
  }
  static void read(tcp::socket& socket, const Buffers& buffers, std::size_t size) {
    transfer(buffers, size,
             [&](msghdr& header) { return recvmsg(socket.native_handle(), &header, 0); });
  }
};

/// Buffers over the pieces. Those of a message to be sent are only read.
template <class Io>
auto buffers_over(const auto& pieces) {
  typename Io::Buffers buffers;
  std::ranges::transform(pieces, buffers.begin(), [](std::span<const std::byte> piece) {
    return typename Io::Buffers::value_type{const_cast<std::byte*>(piece.data()), piece.size()};
  });
  return buffers;
}

template <class Io>
void send(tcp::socket& socket, const Outgoing& message) {
  Io::write(socket, buffers_over<Io>(message.pieces()));
}

/// Receives a message and hands what `open` makes of it to `take`.
template <class Io, class Take>
void receive(tcp::socket& socket, std::size_t number, Take take) {
  std::uint64_t size = 0;
  asio::read(socket, asio::buffer(&size, sizeof size));
  const Room room(size, number);
  const auto buffers = buffers_over<Io>(room.blocks());
  Io::read(socket, buffers, size);
  gradtail::TrailerScratch scratch;
  take(gradtail::open(gradtail::first(buffers, size), scratch), room);
}

template <class Io>
void serve(const two_processes::Ready& ready) {
  asio::io_context io;
  tcp::acceptor acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  ready(acceptor.local_endpoint().port());
  tcp::socket socket = acceptor.accept();
  for (std::size_t number = 0; number < exchange::count; ++number) {
    receive<Io>(socket, number, [&](const auto& opened, const Room& room) {
      const std::string answer = exchange::check_request(number, opened, room.blocks());
      send<Io>(socket, Outgoing(number, answer));
    });
  }
}

template <class Io>
void call(std::uint16_t port) {
  asio::io_context io;
  tcp::socket socket(io);
  socket.connect(tcp::endpoint(asio::ip::address_v4::loopback(), port));
  for (std::size_t number = 0; number < exchange::count; ++number) {
    send<Io>(socket, Outgoing(number));
    receive<Io>(socket, number, [&](const auto& opened, const Room& /*room*/) {
      exchange::check_answer(number, opened);
    });
  }
}

}  // namespace

int main() {
  const int with_asio = two_processes::run("asio", serve<WithAsio>, call<WithAsio>);
  const int with_posix = two_processes::run("posix", serve<WithPosix>, call<WithPosix>);
  return with_asio + with_posix == 0 ? 0 : 1;
}
