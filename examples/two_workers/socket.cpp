// SPDX-License-Identifier: Apache-2.0
// The system calls: partial transfers, interruptions, time limits, peers that are gone.
#include "socket.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace two_workers {

namespace {

[[noreturn]] void fail(const char* call) {
  throw std::system_error(errno, std::generic_category(), call);
}

int checked(int result, const char* call) {
  if (result < 0) fail(call);
  return result;
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// bind, connect and their kin take the address as the C way of a base class.
sockaddr* base(sockaddr_in& address) { return reinterpret_cast<sockaddr*>(&address); }

int make_socket() { return checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"); }

// A message is sent whole, so waiting for more to send with it would only delay it.
void send_at_once(int descriptor) {
  const int on = 1;
  checked(::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "setsockopt");
}

bool try_again(int error) { return error == EINTR || error == EAGAIN || error == EWOULDBLOCK; }

bool peer_is_gone(int error) { return error == ECONNRESET || error == EPIPE; }

// Takes `count` bytes off the front of the pieces.
std::span<iovec> consume(std::span<iovec> pieces, std::size_t count) {
  while (!pieces.empty() && count >= pieces.front().iov_len) {
    count -= pieces.front().iov_len;
    pieces = pieces.subspan(1);
  }
  if (!pieces.empty()) {
    pieces.front().iov_base = static_cast<std::byte*>(pieces.front().iov_base) + count;
    pieces.front().iov_len -= count;
  }
  return pieces;
}

}  // namespace

Socket Socket::listen() {
  Socket listener(make_socket());
  sockaddr_in address = loopback(0);
  checked(::bind(listener.descriptor_, base(address), sizeof address), "bind to 127.0.0.1");
  checked(::listen(listener.descriptor_, 1), "listen");
  return listener;
}

Socket Socket::connect(std::uint16_t port) {
  Socket connected(make_socket());
  sockaddr_in address = loopback(port);
  checked(::connect(connected.descriptor_, base(address), sizeof address), "connect to 127.0.0.1");
  send_at_once(connected.descriptor_);
  return connected;
}

void Socket::close() noexcept {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

std::uint16_t Socket::port() const {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  checked(::getsockname(descriptor_, base(address), &size), "getsockname");
  return ntohs(address.sin_port);
}

Socket Socket::accept(Deadline deadline) const {
  if (!wait_for(POLLIN, deadline)) throw std::runtime_error("the other worker did not connect");
  Socket accepted(checked(::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC), "accept"));
  send_at_once(accepted.descriptor_);
  return accepted;
}

Transfer Socket::send(std::span<iovec> pieces, Deadline deadline) const {
  while (!(pieces = consume(pieces, 0)).empty()) {
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = pieces.size();
    const ssize_t sent = ::sendmsg(descriptor_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      pieces = consume(pieces, static_cast<std::size_t>(sent));
    } else if (peer_is_gone(errno)) {
      return Transfer::peer_closed;
    } else if (!try_again(errno)) {
      fail("sendmsg");
    } else if (!wait_for(POLLOUT, deadline)) {
      return Transfer::timed_out;
    }
  }
  return Transfer::complete;
}

Transfer Socket::receive(std::span<std::byte> room, Deadline deadline,
                         std::size_t& received) const {
  received = 0;
  while (received < room.size()) {
    const std::span<std::byte> rest = room.subspan(received);
    const ssize_t count = ::recv(descriptor_, rest.data(), rest.size(), MSG_DONTWAIT);
    if (count > 0) {
      received += static_cast<std::size_t>(count);
    } else if (count == 0 || peer_is_gone(errno)) {
      return Transfer::peer_closed;
    } else if (!try_again(errno)) {
      fail("recv");
    } else if (!wait_for(POLLIN, deadline)) {
      return Transfer::timed_out;
    }
  }
  return Transfer::complete;
}

// Also true where the peer is gone: the next call then says so.
bool Socket::wait_for(short event, Deadline deadline) const {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd waiting{descriptor_, event, 0};
    const int ready =
        ::poll(&waiting, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) fail("poll");
  }
}

}  // namespace two_workers
