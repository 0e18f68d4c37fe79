// SPDX-License-Identifier: Apache-2.0
// A peer is killed in the middle of its messages, as receiver and as sender: every operation that
// was under way ends, the memory that it used is free again, and the next peer is served. Over TCP:
// on shared memory UCX doesn't notice that a peer is gone.
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <exception>
#include <functional>

#include "connect.hpp"
#include "exchange.hpp"
#include "gradtail/ucx.hpp"

namespace {

using exchange::Bytes;
using exchange::require;
using gradtail::Trailer;
using gradtail::TrailerScratch;
using ucx::Node;

constexpr unsigned message_id = 1;
constexpr std::size_t count = 8;
constexpr std::size_t killed_at = 3;  ///< message at which the peer dies
constexpr std::size_t payload_size = std::size_t{16} << 20;

gradtail::AutogradMetadata metadata_of(std::size_t number) {
  return {.context_id = 1, .message_id = static_cast<std::int64_t>(number)};
}

/// The other process, with a socket to it. UCX must not have been used before.
class Peer {
 public:
  explicit Peer(const std::function<void(int socket)>& run) {
    std::array<int, 2> sockets{};
    require(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets.data()) == 0, "socketpair failed");
    child_ = fork();
    if (child_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::close(sockets[0]);
      try {
        run(sockets[1]);
        std::_Exit(0);
      } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        std::_Exit(1);
      }
    }
    ::close(sockets[1]);
    socket = sockets[0];
  }
  ~Peer() {
    if (child_ > 0) kill(child_, SIGKILL);
    join();
    ::close(socket);
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  /// How it ended.
  int join() {
    if (child_ > 0) waitpid(child_, &status_, 0);
    child_ = 0;
    return status_;
  }

  int socket = -1;

 private:
  pid_t child_ = -1;
  int status_ = 0;
};

/// Receives what comes; dies, if it has to, when a header says that its time has come.
class Receiver {
 public:
  struct Incoming {
    gradtail::AutogradMetadata metadata;
    Bytes memory;
    ucs_status_t status = UCS_INPROGRESS;
  };

  explicit Receiver(Node& node, std::size_t dies_at = count) {
    node.handle(message_id, [this, &node, dies_at](const ucx::Arrived& arrived) {
      TrailerScratch scratch;
      const auto message = arrived.open(scratch);
      require(message.has_value(), "a header was refused");
      if (message->metadata().message_id == static_cast<std::int64_t>(dies_at)) raise(SIGKILL);
      Incoming& in = messages.emplace_back();
      in.metadata = message->metadata();
      in.memory.resize(message->payload_size());
      node.receive(*message, in.memory, [&in](ucs_status_t status) { in.status = status; });
      return UCS_OK;
    });
  }

  [[nodiscard]] bool all_ended() const {
    return std::ranges::none_of(messages,
                                [](const Incoming& in) { return in.status == UCS_INPROGRESS; });
  }
  [[nodiscard]] bool is_done() const { return messages.size() == count && all_ended(); }

  std::deque<Incoming> messages;
};

/// An endpoint that is told when its peer is gone; both ends must ask for that.
struct Link {
  Link(const Node& node, int socket) : endpoint(ucx::connect_over(node, socket, &lost)) {}

  std::size_t losses = 0;
  ucx::Told lost = [this](ucs_status_t) { ++losses; };
  ucp_ep_h endpoint;
};

/// All messages, whose payloads stay with the sender until the receiver fetches them.
class Sends {
 public:
  explicit Sends(ucp_ep_h endpoint) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto sent = gradtail::send(endpoint, message_id, payload_, metadata_of(i), trailers_[i],
                                       ucx::with_flags(UCP_AM_SEND_FLAG_RNDV));
      require(sent.has_value(), "the metadata was refused");
      requests_[i] = *sent;
    }
  }

  /// Waits for all of them, and counts those that failed.
  std::size_t failures(const Node& node) {
    return static_cast<std::size_t>(std::ranges::count_if(
        requests_, [&](ucs_status_ptr_t request) { return node.wait(request) != UCS_OK; }));
  }

 private:
  Bytes payload_ = Bytes(payload_size, std::byte{0x55});
  std::array<Trailer, count> trailers_;
  std::array<ucs_status_ptr_t, count> requests_{};
};

void tell(int socket) { require(::send(socket, "!", 1, 0) == 1, "the peer is gone already"); }

void wait_for_word(const Node& node, int socket) {
  char word = 0;
  node.progress_until([&] { return ::recv(socket, &word, 1, MSG_DONTWAIT) == 1; });
}

void receiver(int socket, std::size_t dies_at) {
  Node node("tcp");
  const Receiver received(node, dies_at);
  const Link peer(node, socket);
  node.progress_until([&] { return received.is_done(); });
  wait_for_word(node, socket);  // one end after the other: UCX 1.13 may abort where both close
  node.close(peer.endpoint, true);
}

/// Dies, if it has to, when the receiver gives the word.
void sender(int socket, bool dies) {
  const Node node("tcp");
  const Link peer(node, socket);
  Sends sends(peer.endpoint);
  if (dies) {
    wait_for_word(node, socket);
    raise(SIGKILL);
  }
  require(sends.failures(node) == 0, "a send failed");
  node.close(peer.endpoint);
}

/// Sends to a receiver that dies, then to one that doesn't.
void lose_receiver() {
  Peer doomed([](int socket) { receiver(socket, killed_at); });
  Peer next([](int socket) { receiver(socket, count); });
  const Node node("tcp");
  const Link peer(node, doomed.socket);
  {
    Sends sends(peer.endpoint);
    node.progress_until([&] { return peer.losses != 0; });
    require(sends.failures(node) >= count - killed_at, "sends to a dead peer succeeded");
    node.close(peer.endpoint, true);
  }
  require(WIFSIGNALED(doomed.join()), "the receiver was not killed");
  const Link again(node, next.socket);
  require(Sends(again.endpoint).failures(node) == 0, "a send failed");
  node.close(again.endpoint);
  tell(next.socket);
  require(next.join() == 0, "the second receiver failed");
}

/// Receives from a sender that dies, then from one that doesn't.
void lose_sender() {
  Peer doomed([](int socket) { sender(socket, true); });
  Peer next([](int socket) { sender(socket, false); });
  Node node("tcp");
  Receiver received(node);
  const Link peer(node, doomed.socket);
  node.progress_until([&] { return received.messages.size() > killed_at; });
  tell(doomed.socket);
  node.progress_until([&] { return peer.losses != 0; });
  node.close(peer.endpoint, true);
  node.progress_until([&] { return received.all_ended(); });
  for (std::size_t i = 0; i < received.messages.size(); ++i) {
    require(received.messages[i].metadata == metadata_of(i), "metadata that had come was lost");
  }
  require(WIFSIGNALED(doomed.join()), "the sender was not killed");
  received.messages.clear();
  const Link again(node, next.socket);
  node.progress_until([&] { return received.is_done(); });
  for (const auto& in : received.messages) {
    require(in.status == UCS_OK && in.memory == Bytes(payload_size, std::byte{0x55}),
            "a receive failed");
  }
  char end = 0;
  node.progress_until([&] { return ::recv(next.socket, &end, 1, MSG_DONTWAIT) == 0; });
  node.close(again.endpoint, true);
  require(next.join() == 0, "the second sender failed");
}

}  // namespace

int main() {
  alarm(60);
  // Where zero-copy is under way over TCP and the peer dies, UCX 1.13 aborts.
  setenv("UCX_ZCOPY_THRESH", "inf", 1);
  int failures = 0;
  // Each in a process of its own: UCX can't be used before a fork.
  for (const auto part : {lose_receiver, lose_sender}) {
    Peer process([part](int) { part(); });
    failures += process.join() == 0 ? 0 : 1;
  }
  return failures;
}
