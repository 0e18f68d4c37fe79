// SPDX-License-Identifier: Apache-2.0
// Two processes exchange active messages: metadata comes first, the payload goes where the handler
// says, damage is reported, and the endpoint lives on.
#include "exchange.hpp"

#include <sys/socket.h>

#include <cstdio>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "connect.hpp"
#include "gradtail/ucx.hpp"
#include "two_processes.hpp"

namespace {

using exchange::Bytes;
using exchange::require;
using gradtail::Trailer;
using gradtail::TrailerScratch;

constexpr unsigned request_id = 1;
constexpr unsigned answer_id = 2;

/// What UCX is told about a send: as it likes, eager or rendezvous.
unsigned flags_of(std::size_t number) {
  constexpr unsigned flags[] = {0, UCP_AM_SEND_FLAG_EAGER, UCP_AM_SEND_FLAG_RNDV};
  return flags[number % 3];
}

ucp_request_param_t param_of(std::size_t number) { return ucx::with_flags(flags_of(number)); }

/// A message that arrived, with the memory that its handler chose.
struct Incoming {
  TrailerScratch scratch;
  std::optional<gradtail::Result<gradtail::ActiveMessage>> opened;
  Bytes payload;
  bool done = false;

  [[nodiscard]] const gradtail::AutogradMetadata& metadata() const {
    require(opened->has_value(), "a message without a good trailer");
    return (*opened)->metadata();
  }
};

/// One end: messages queue up as their headers arrive.
class End {
 public:
  End(const char* transport, int socket)
      : node_(transport), endpoint_(ucx::connect_over(node_, socket)) {}
  ~End() { node_.close(endpoint_); }
  End(const End&) = delete;
  End& operator=(const End&) = delete;

  /// Takes the messages of an id.
  void take(unsigned id) {
    node_.handle(id, [this](const ucx::Arrived& message) { return arrived(message); });
  }

  /// The next message, whole.
  std::unique_ptr<Incoming> next() {
    node_.progress_until([&] { return !queue_.empty() && queue_.front()->done; });
    std::unique_ptr<Incoming> first = std::move(queue_.front());
    queue_.pop_front();
    return first;
  }

  /// Sends and waits until it has left.
  void send(unsigned id, std::span<const std::byte> payload,
            const gradtail::AutogradMetadata& metadata, std::size_t number) {
    Trailer trailer;
    const auto sent = gradtail::send(endpoint_, id, payload, metadata, trailer, param_of(number));
    require(sent.has_value(), "the metadata was refused");
    ucx::check(node_.wait(*sent), "send");
  }

  /// Sends with any header.
  ucs_status_t send_raw(unsigned id, std::span<const std::byte> header,
                        std::span<const std::byte> payload, std::size_t number) {
    const ucp_request_param_t param = param_of(number);
    return node_.wait(ucp_am_send_nbx(endpoint_, id, header.data(), header.size(), payload.data(),
                                      payload.size(), &param));
  }

 private:
  ucs_status_t arrived(const ucx::Arrived& arrived) {
    Incoming& in = *queue_.emplace_back(std::make_unique<Incoming>());
    const auto& message = in.opened.emplace(arrived.open(in.scratch));
    if (!message) {
      in.done = true;
      return gradtail::refusal(arrived.param);
    }
    in.payload.resize(message->payload_size());
    node_.receive(*message, in.payload, [&in](ucs_status_t status) {
      ucx::check(status, "receive");
      in.done = true;
    });
    return UCS_OK;
  }

  ucx::Node node_;
  ucp_ep_h endpoint_;
  std::deque<std::unique_ptr<Incoming>> queue_;
};

void call_once(End& end, std::size_t number) {
  const exchange::Request request = exchange::request(number);
  if (request.damage == exchange::Damage::none) {
    end.send(request_id, exchange::payload_of(number), request.metadata, number);
  } else {
    const exchange::Raw damaged = exchange::damaged(number);
    const ucs_status_t status =
        end.send_raw(request_id, damaged.trailer(), damaged.payload(), number);
    const bool told = flags_of(number) == UCP_AM_SEND_FLAG_RNDV;
    require(status == UCS_OK || status == UCS_ERR_REJECTED, ucs_status_string(status));
    require(!told || status == UCS_ERR_REJECTED, "the sender was not told of a refused request");
  }
  const auto answer = end.next();
  exchange::check_answer(number, answer->metadata(), exchange::pieces_of(answer->payload));
}

void serve_once(End& end, std::size_t number) {
  const auto in = end.next();
  const std::string text = exchange::answer(number, *in->opened);
  if (*in->opened) exchange::check_payload(number, exchange::pieces_of(in->payload));
  end.send(answer_id, std::as_bytes(std::span(text)), exchange::answer_metadata(number), number);
}

void serve(const char* transport, int socket) {
  End end(transport, socket);
  end.take(request_id);
  for (std::size_t number = 0; number < exchange::count; ++number) serve_once(end, number);
}

void call(const char* transport, int socket) {
  End end(transport, socket);
  end.take(answer_id);
  for (std::size_t number = 0; number < exchange::count; ++number) call_once(end, number);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s TRANSPORT, one of UCX's, such as tcp or shm\n", argv[0]);
    return 2;
  }
  return two_processes::run_on_sockets(
      std::string("ucx, ") + argv[1], SOCK_SEQPACKET, [&](int socket) { serve(argv[1], socket); },
      [&](int socket) { call(argv[1], socket); });
}
