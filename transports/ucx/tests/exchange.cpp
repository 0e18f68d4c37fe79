// SPDX-License-Identifier: Apache-2.0
// Two processes exchange active messages: metadata comes first, the payload goes where the handler
// says, damage is reported, and the endpoint lives on.
#include "exchange.hpp"

#include <sys/socket.h>

#include <array>
#include <cstdio>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

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
ucp_request_param_t param_of(std::size_t number) {
  constexpr unsigned flags[] = {0, UCP_AM_SEND_FLAG_EAGER, UCP_AM_SEND_FLAG_RNDV};
  ucp_request_param_t param{};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS;
  param.flags = flags[number % 3];
  return param;
}

/// A message that arrived, with the memory that its handler chose.
struct Incoming {
  TrailerScratch scratch;
  gradtail::AutogradMetadata metadata;
  Bytes payload;
  std::string error;
  bool done = false;

  void finish(ucs_status_t status) {
    require(status == UCS_OK, std::string("receive: ") + ucs_status_string(status));
    done = true;
  }
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
    const auto handler = [](void* arg, const void* header, std::size_t header_length, void* data,
                            std::size_t length, const ucp_am_recv_param_t* param) {
      return static_cast<End*>(arg)->arrived(header, header_length, data, length, *param);
    };
    node_.set_handler(id, handler, this, flags);
  }

  /// The next message, whole.
  std::unique_ptr<Incoming> next() {
    node_.progress_until([&] { return !queue_.empty() && queue_.front()->done; }, "message");
    std::unique_ptr<Incoming> first = std::move(queue_.front());
    queue_.pop_front();
    return first;
  }

  /// Sends and waits until it has left.
  ucs_status_t send(unsigned id, std::span<const std::byte> payload,
                    const gradtail::AutogradMetadata& metadata, std::size_t number) {
    Trailer trailer;
    const auto sent = gradtail::send(endpoint_, id, payload, metadata, trailer, param_of(number));
    require(sent.has_value(), "the metadata was refused");
    return node_.wait(*sent);
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
  ucs_status_t arrived(const void* header, std::size_t header_length, void* data,
                       std::size_t length, const ucp_am_recv_param_t& param) {
    Incoming& in = *queue_.emplace_back(std::make_unique<Incoming>());
    const auto message = gradtail::open(header, header_length, data, length, param, in.scratch);
    if (!message) {
      in.error = exchange::answer(&message.error());
      in.done = true;
      return gradtail::refusal(param);
    }
    in.metadata = message->metadata();
    in.payload.resize(message->payload_size());
    ucp_request_param_t receive{};
    receive.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA;
    receive.user_data = &in;
    receive.cb.recv_am = [](void* request, ucs_status_t status, std::size_t, void* arg) {
      static_cast<Incoming*>(arg)->finish(status);
      ucp_request_free(request);
    };
    const ucs_status_ptr_t request = message->receive(node_.worker(), in.payload, receive);
    if (!UCS_PTR_IS_PTR(request)) in.finish(UCS_PTR_STATUS(request));
    return UCS_OK;
  }

  ucx_node::Node node_;
  ucp_ep_h endpoint_;
  std::deque<std::unique_ptr<Incoming>> queue_;
};

void call_once(End& end, std::size_t number) {
  const exchange::Message request = exchange::request(number);
  const Bytes bytes = exchange::payload_of(number);
  ucs_status_t status = UCS_OK;
  if (request.damage == Damage::none) {
    status = end.send(request_id, bytes, request.metadata, number);
    require(status == UCS_OK, std::string("send: ") + ucs_status_string(status));
  } else {
    const auto trailer = Trailer::make(request.metadata, bytes.size());
    require(trailer.has_value(), "the metadata was refused");
    Bytes header(trailer->bytes().begin(), trailer->bytes().end());
    exchange::damage_trailer(header, request.damage);
    std::span<const std::byte> payload = bytes;
    if (request.damage == Damage::cut_front) payload = payload.subspan(1);
    status = end.send_raw(request_id, header, payload, number);
    const bool told = param_of(number).flags == UCP_AM_SEND_FLAG_RNDV;
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
  const auto status = end.send(answer_id, std::as_bytes(std::span(text)),
                               exchange::answer_metadata(number), number);
  require(status == UCS_OK, std::string("answer: ") + ucs_status_string(status));
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
    const auto status = end.send(landed_id, {}, flight_metadata(number), number);
    require(status == UCS_OK, std::string("answer: ") + ucs_status_string(status));
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
  std::array<int, 2> sockets{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets.data()) != 0) return 1;
  const auto server = [&](const two_processes::Ready& ready) {
    ready(0);  // they meet on the sockets
    serve(argv[1], sockets[0]);
  };
  return two_processes::run(std::string("ucx, ") + argv[1], server,
                            [&](std::uint16_t) { call(argv[1], sockets[1]); });
}
