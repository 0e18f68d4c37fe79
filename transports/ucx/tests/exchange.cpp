// SPDX-License-Identifier: Apache-2.0
// Two processes exchange active messages: metadata comes first, the payload goes where the handler
// says, damage is reported, and the endpoint lives on.
#include "exchange.hpp"

#include <sys/socket.h>

#include <cstdio>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "gradtail/ucx.hpp"
#include "node.hpp"
#include "two_processes.hpp"

namespace {

using exchange::Bytes;
using exchange::Damage;
using exchange::require;
using gradtail::Trailer;
using gradtail::TrailerScratch;

constexpr unsigned request_id = 1;
constexpr unsigned answer_id = 2;
constexpr unsigned flight_id = 3;
constexpr unsigned landed_id = 4;

/// Messages under way at once, and in all, of the part that doesn't wait for answers.
constexpr std::size_t window = 16;
constexpr std::size_t flights = 96;
constexpr std::size_t flight_sizes[] = {0, 64, 65'536, exchange::most};

/// What UCX is told about a send: as it likes, eager or rendezvous.
unsigned flags_of(std::size_t number) {
  constexpr unsigned flags[] = {0, UCP_AM_SEND_FLAG_EAGER, UCP_AM_SEND_FLAG_RNDV};
  return flags[number % 3];
}

ucp_request_param_t param_of(std::size_t number) { return ucx_node::with_flags(flags_of(number)); }

/// A message that arrived, with the memory that its handler chose.
struct Incoming {
  TrailerScratch scratch;
  gradtail::AutogradMetadata metadata;
  Bytes payload;
  std::string error;
  bool done = false;
};

/// One end: messages queue up as their headers arrive.
class End {
 public:
  End(const char* transport, int socket)
      : node_(transport), endpoint_(node_.connect_over(socket)) {}
  ~End() { node_.close(endpoint_); }
  End(const End&) = delete;
  End& operator=(const End&) = delete;

  /// Takes the messages of an id, by a handler that may hold eager data or not.
  void take(unsigned id, std::uint32_t flags) {
    node_.handle(
        id, [this](const ucx_node::Arrived& message) { return arrived(message); }, flags);
  }

  /// The next message, whole.
  std::unique_ptr<Incoming> next() {
    node_.progress_until([&] { return !queue_.empty() && queue_.front()->done; }, "message");
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
    ucx_node::require_ok(node_.wait(*sent), "send");
  }

  /// Sends with any header.
  ucs_status_t send_raw(unsigned id, std::span<const std::byte> header,
                        std::span<const std::byte> payload, std::size_t number) {
    const ucp_request_param_t param = param_of(number);
    return node_.wait(ucp_am_send_nbx(endpoint_, id, header.data(), header.size(), payload.data(),
                                      payload.size(), &param));
  }

  [[nodiscard]] ucp_ep_h endpoint() const { return endpoint_; }
  [[nodiscard]] const ucx_node::Node& node() const { return node_; }

 private:
  ucs_status_t arrived(const ucx_node::Arrived& arrived) {
    Incoming& in = *queue_.emplace_back(std::make_unique<Incoming>());
    const auto message = arrived.open(in.scratch);
    if (!message) {
      in.error = exchange::answer(&message.error());
      in.done = true;
      return gradtail::refusal(arrived.param);
    }
    in.metadata = message->metadata();
    in.payload.resize(message->payload_size());
    node_.receive(*message, in.payload, [&in](ucs_status_t status) {
      ucx_node::require_ok(status, "receive");
      in.done = true;
    });
    return UCS_OK;
  }

  ucx_node::Node node_;
  ucp_ep_h endpoint_;
  std::deque<std::unique_ptr<Incoming>> queue_;
};

void call_once(End& end, std::size_t number) {
  const exchange::Message request = exchange::request(number);
  const Bytes bytes = exchange::payload_of(number);
  if (request.damage == Damage::none) {
    end.send(request_id, bytes, request.metadata, number);
  } else {
    const auto trailer = Trailer::make(request.metadata, bytes.size());
    require(trailer.has_value(), "the metadata was refused");
    Bytes header(trailer->bytes().begin(), trailer->bytes().end());
    exchange::damage_trailer(header, request.damage);
    std::span<const std::byte> payload = bytes;
    if (request.damage == Damage::cut_front) payload = payload.subspan(1);
    const ucs_status_t status = end.send_raw(request_id, header, payload, number);
    const bool told = flags_of(number) == UCP_AM_SEND_FLAG_RNDV;
    require(status == UCS_OK || status == UCS_ERR_REJECTED, ucs_status_string(status));
    require(!told || status == UCS_ERR_REJECTED, "the sender was not told of a refused request");
  }
  const auto answer = end.next();
  require(answer->error.empty() && answer->metadata == exchange::answer_metadata(number),
          "answer " + std::to_string(number) + " has other metadata; " + answer->error);
  exchange::check_answer(
      number, {reinterpret_cast<const char*>(answer->payload.data()), answer->payload.size()});
}

void serve_once(End& end, std::size_t number) {
  const auto in = end.next();
  std::string text = "ok";
  if (in->error.empty()) {
    exchange::check_opened(number, &in->metadata, nullptr);
    exchange::PayloadCheck check(number);
    check.add(in->payload);
    check.finish();
  } else {
    exchange::check_answer(number, in->error);
    text = in->error;
  }
  end.send(answer_id, std::as_bytes(std::span(text)), exchange::answer_metadata(number), number);
}

/// What a send needs, where it is, until it is complete.
struct Outgoing {
  Bytes payload;
  Trailer trailer;
  ucs_status_ptr_t request = nullptr;
};

std::size_t flight_size(std::size_t number) { return flight_sizes[number % 4]; }

gradtail::AutogradMetadata flight_metadata(std::size_t number) {
  return {.context_id = 1, .message_id = static_cast<std::int64_t>(number), .from_worker_id = 1};
}

/// Keeps a window of messages under way; each is answered when it has arrived whole.
void call_many(End& end) {
  std::map<std::size_t, Outgoing> under_way;
  for (std::size_t number = 0; number < flights || !under_way.empty();) {
    while (number < flights && under_way.size() < window) {
      Outgoing& out = under_way[number];
      out.payload.resize(flight_size(number));
      exchange::fill(out.payload, number);
      const auto sent = gradtail::send(end.endpoint(), flight_id, out.payload,
                                       flight_metadata(number), out.trailer, param_of(number / 4));
      require(sent.has_value(), "the metadata was refused");
      out.request = *sent;
      ++number;
    }
    const auto landed = under_way.find(static_cast<std::size_t>(end.next()->metadata.message_id));
    require(landed != under_way.end(), "an answer that is not due");
    require(end.node().wait(landed->second.request) == UCS_OK, "a send failed");
    under_way.erase(landed);
  }
}

void serve_many(End& end) {
  for (std::size_t i = 0; i < flights; ++i) {
    const auto in = end.next();
    require(in->error.empty(), in->error);
    const auto number = static_cast<std::size_t>(in->metadata.message_id);
    require(in->metadata == flight_metadata(number), "the metadata differs");
    Bytes expected(flight_size(number));
    exchange::fill(expected, number);
    require(in->payload == expected, "the payload differs");
    end.send(landed_id, {}, flight_metadata(number), number);
  }
}

void serve(const char* transport, int socket) {
  End end(transport, socket);
  end.take(request_id, UCP_AM_FLAG_WHOLE_MSG);
  end.take(flight_id, UCP_AM_FLAG_WHOLE_MSG | UCP_AM_FLAG_PERSISTENT_DATA);
  for (std::size_t number = 0; number < exchange::count; ++number) serve_once(end, number);
  serve_many(end);
}

void call(const char* transport, int socket) {
  End end(transport, socket);
  end.take(answer_id, UCP_AM_FLAG_WHOLE_MSG);
  end.take(landed_id, UCP_AM_FLAG_WHOLE_MSG);
  for (std::size_t number = 0; number < exchange::count; ++number) call_once(end, number);
  call_many(end);
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
