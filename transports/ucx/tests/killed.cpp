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
#include <string>
#include <vector>

#include "exchange.hpp"
#include "gradtail/ucx.hpp"
#include "node.hpp"

namespace {

using exchange::Bytes;
using exchange::require;
using gradtail::Trailer;
using gradtail::TrailerScratch;
using ucx_node::Node;

/// Without zero-copy: where that is under way over TCP and the peer dies, UCX 1.13 aborts.
class CopyingNode : public Node {
 public:
  CopyingNode() : Node("tcp", {{"ZCOPY_THRESH", "inf"}}) {}
};

constexpr unsigned message_id = 1;
constexpr std::size_t count = 8;
constexpr std::size_t killed_at = 3;  ///< message at which the peer dies
constexpr std::size_t payload_size = std::size_t{16} << 20;

gradtail::AutogradMetadata metadata_of(std::size_t number) {
  return {.context_id = 1, .message_id = static_cast<std::int64_t>(number)};
}

/// Runs it; 0 unless it throws.
int guarded(const std::function<void()>& body) {
  try {
    body();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
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
      std::_Exit(guarded([&] { run(sockets[1]); }));
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

  explicit Receiver(const Node& node, std::size_t dies_at = count)
      : node_(node), dies_at_(dies_at) {
    node.set_handler(
        message_id,
        [](void* arg, const void* header, std::size_t header_length, void* data, std::size_t length,
           const ucp_am_recv_param_t* param) {
          return static_cast<Receiver*>(arg)->arrived(header, header_length, data, length, *param);
        },
        this);
  }

  [[nodiscard]] bool all_ended() const {
    return std::ranges::none_of(messages,
                                [](const Incoming& in) { return in.status == UCS_INPROGRESS; });
  }

  std::deque<Incoming> messages;

 private:
  ucs_status_t arrived(const void* header, std::size_t header_length, void* data,
                       std::size_t length, const ucp_am_recv_param_t& param) {
    TrailerScratch scratch;
    const auto message = gradtail::open(header, header_length, data, length, param, scratch);
    require(message.has_value(), "a header was refused");
    if (message->metadata().message_id == static_cast<std::int64_t>(dies_at_)) raise(SIGKILL);
    Incoming& in = messages.emplace_back();
    in.metadata = message->metadata();
    in.memory.resize(message->payload_size());
    ucp_request_param_t receive{};
    receive.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA;
    receive.user_data = &in;
    receive.cb.recv_am = [](void* request, ucs_status_t status, std::size_t, void* arg) {
      static_cast<Incoming*>(arg)->status = status;
      ucp_request_free(request);
    };
    const ucs_status_ptr_t request = message->receive(node_.worker(), in.memory, receive);
    if (!UCS_PTR_IS_PTR(request)) in.status = UCS_PTR_STATUS(request);
    return UCS_OK;
  }

  const Node& node_;
  std::size_t dies_at_;
};

struct Outgoing {
  Bytes payload = Bytes(payload_size, std::byte{0x55});
  Trailer trailer;
  ucs_status_ptr_t request = nullptr;
};

/// An endpoint that is told when its peer is gone; both ends must ask for that.
struct Link {
  Link(const Node& node, int socket) : endpoint(node.connect_over(socket, &lost)) {}

  std::size_t losses = 0;
  std::function<void(ucs_status_t)> lost = [this](ucs_status_t) { ++losses; };
  ucp_ep_h endpoint;
};

/// Starts all sends. The payloads stay with the sender until the receiver fetches them.
void send_all(ucp_ep_h endpoint, std::array<Outgoing, count>& outgoing) {
  ucp_request_param_t param{};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS;
  param.flags = UCP_AM_SEND_FLAG_RNDV;
  for (std::size_t i = 0; i < count; ++i) {
    Outgoing& out = outgoing[i];
    const auto sent =
        gradtail::send(endpoint, message_id, out.payload, metadata_of(i), out.trailer, param);
    require(sent.has_value(), "the metadata was refused");
    out.request = *sent;
  }
}

void receiver(int socket, std::size_t dies_at) {
  const CopyingNode node;
  Receiver received(node, dies_at);
  const Link peer(node, socket);
  node.progress_until([&] { return received.messages.size() == count && received.all_ended(); },
                      "the receiver's messages");
  // One end after the other: UCX 1.13 may abort where both close at once.
  char word = 0;
  node.progress_until([&] { return ::recv(socket, &word, 1, MSG_DONTWAIT) == 1; }, "the word");
  node.close(peer.endpoint, true);
}

/// Dies, if it has to, when the receiver gives the word.
void sender(int socket, bool dies) {
  const CopyingNode node;
  const Link peer(node, socket);
  std::array<Outgoing, count> outgoing;
  send_all(peer.endpoint, outgoing);
  if (dies) {
    char word = 0;
    node.progress_until([&] { return ::recv(socket, &word, 1, MSG_DONTWAIT) == 1; }, "the word");
    raise(SIGKILL);
  }
  for (Outgoing& out : outgoing) require(node.wait(out.request) == UCS_OK, "a send failed");
  node.close(peer.endpoint);
}

/// Sends to a receiver that dies, then to one that doesn't.
void lose_receiver() {
  Peer doomed([](int socket) { receiver(socket, killed_at); });
  Peer next([](int socket) { receiver(socket, count); });
  const CopyingNode node;
  const Link peer(node, doomed.socket);
  {
    std::array<Outgoing, count> outgoing;
    send_all(peer.endpoint, outgoing);
    node.progress_until([&] { return peer.losses != 0; }, "nobody said that the receiver is gone");
    std::size_t failed = 0;
    for (Outgoing& out : outgoing) {
      if (node.wait(out.request) != UCS_OK) ++failed;
    }
    require(failed >= count - killed_at, "sends to a dead peer succeeded");
    node.close(peer.endpoint, true);
  }
  require(WIFSIGNALED(doomed.join()), "the receiver was not killed");
  const Link again(node, next.socket);
  std::array<Outgoing, count> outgoing;
  send_all(again.endpoint, outgoing);
  for (Outgoing& out : outgoing) require(node.wait(out.request) == UCS_OK, "a send failed");
  node.close(again.endpoint);
  require(::send(next.socket, "!", 1, 0) == 1, "the second receiver is gone already");
  require(next.join() == 0, "the second receiver failed");
}

/// Receives from a sender that dies, then from one that doesn't.
void lose_sender() {
  Peer doomed([](int socket) { sender(socket, true); });
  Peer next([](int socket) { sender(socket, false); });
  const CopyingNode node;
  Receiver received(node);
  const Link peer(node, doomed.socket);
  node.progress_until([&] { return received.messages.size() > killed_at; }, "headers");
  require(::send(doomed.socket, "!", 1, 0) == 1, "the sender is gone already");
  node.progress_until([&] { return peer.losses != 0; }, "nobody said that the sender is gone");
  node.close(peer.endpoint, true);
  node.progress_until([&] { return received.all_ended(); }, "a receive from a dead peer");
  for (std::size_t i = 0; i < received.messages.size(); ++i) {
    require(received.messages[i].metadata == metadata_of(i), "metadata that had come was lost");
  }
  require(WIFSIGNALED(doomed.join()), "the sender was not killed");
  received.messages.clear();
  const Link again(node, next.socket);
  node.progress_until([&] { return received.messages.size() == count && received.all_ended(); },
                      "the second sender's messages");
  for (const auto& in : received.messages) require(in.status == UCS_OK, "a receive failed");
  char end = 0;
  node.progress_until([&] { return ::recv(next.socket, &end, 1, MSG_DONTWAIT) == 0; },
                      "the second sender's end");
  node.close(again.endpoint, true);
  require(next.join() == 0, "the second sender failed");
}

}  // namespace

int main() {
  alarm(60);
  int failures = 0;
  // Each in a process of its own: UCX can't be used before a fork.
  for (const auto part : {lose_receiver, lose_sender}) {
    Peer process([part](int) { part(); });
    failures += process.join() == 0 ? 0 : 1;
  }
  return failures;
}
