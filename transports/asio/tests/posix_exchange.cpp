// SPDX-License-Identifier: Apache-2.0
// Two processes exchange messages over TCP with sendmsg and recvmsg, into several buffers.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <vector>

#include "stream.hpp"
#include "two_processes.hpp"

namespace {

int check(ssize_t result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return static_cast<int>(result);
}

class Socket {
 public:
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  Socket() : Socket(check(socket(AF_INET, SOCK_STREAM, 0), "socket")) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() { close(descriptor_); }

  [[nodiscard]] int get() const { return descriptor_; }

 private:
  int descriptor_;
};

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

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

template <class Spans>
std::array<iovec, 3> vectors(const Spans& pieces) {
  std::array<iovec, 3> all{};
  std::ranges::transform(pieces, all.begin(), [](auto piece) {
    return iovec{const_cast<std::byte*>(piece.data()), piece.size()};
  });
  return all;
}

void send(const Socket& socket, const stream::Outgoing& message) {
  std::size_t size = 0;
  for (const auto piece : message.pieces()) size += piece.size();
  transfer(vectors(message.pieces()), size,
           [&](msghdr& header) { return sendmsg(socket.get(), &header, MSG_NOSIGNAL); });
}

void receive(const Socket& socket, std::span<const iovec> buffers, std::size_t size) {
  transfer(buffers, size, [&](msghdr& header) { return recvmsg(socket.get(), &header, 0); });
}

/// Receives a message into buffers that have room for more, and hands it to `take`.
template <class Take>
auto receive_message(const Socket& socket, std::size_t number, Take take) {
  std::uint64_t size = 0;
  const iovec prefix{&size, sizeof size};
  receive(socket, std::span(&prefix, 1), sizeof size);
  const stream::Room room(size, number);
  const std::array<iovec, 3> buffers = vectors(room.blocks());
  receive(socket, buffers, size);
  return take(gradtail::first(buffers, size), room);
}

void serve(const two_processes::Ready& ready) {
  const Socket listener;
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  check(bind(listener.get(), generic, size), "bind");
  check(listen(listener.get(), 1), "listen");
  check(getsockname(listener.get(), generic, &size), "getsockname");
  ready(ntohs(address.sin_port));
  const Socket socket(check(accept(listener.get(), nullptr, nullptr), "accept"));
  for (std::size_t number = 0; number < exchange::count; ++number) {
    const auto answer =
        receive_message(socket, number, [&](const auto& received, const auto& room) {
          return stream::check_request(number, received, room);
        });
    send(socket, stream::Outgoing(number, answer));
  }
}

void call(std::uint16_t port) {
  const Socket socket;
  const sockaddr_in address = loopback(port);
  check(connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
        "connect");
  for (std::size_t number = 0; number < exchange::count; ++number) {
    send(socket, stream::Outgoing(number));
    receive_message(socket, number, [&](const auto& received, const auto&) {
      stream::check_answer(number, received);
    });
  }
}

}  // namespace

int main() { return two_processes::run("posix", serve, call); }
