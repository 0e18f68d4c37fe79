// SPDX-License-Identifier: Apache-2.0
// What a trailer costs as the header of UCX active messages: requests between two processes with no
// header, with plain bytes or with a trailer, each answered by a message like it.
//
//     ucx_latency TRANSPORT ROUNDS | bench/rounds.py TRANSPORT    # one of UCX's: tcp, shm
//
// Prints, for each request, the ns from before the header is made until the response's payload is
// there. Both processes poll, so two idle CPUs are needed for good times.
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <span>
#include <stdexcept>
#include <vector>

#include "connect.hpp"
#include "gradtail/ucx.hpp"
#include "rounds.hpp"
#include "two_processes.hpp"

namespace {

/// What a message carries as its header, and the active message's id.
enum Header : unsigned { none, plain, trailer, header_count };
constexpr std::size_t header_sizes[header_count] = {0, 64, 64};

constexpr std::size_t largest_payload = std::size_t{64} << 10;
constexpr std::size_t payload_sizes[] = {64, largest_payload};

/// All messages carry the same. Both ends know it.
constexpr gradtail::AutogradMetadata metadata{.context_id = (std::int64_t{1} << 48) + 5,
                                              .message_id = (std::int64_t{1} << 48) + 9,
                                              .from_worker_id = 1,
                                              .wrapped_message_type = 0x100};

struct Message {
  Header header;
  std::size_t payload_size;
  bool operator==(const Message&) const = default;
};

class End {
 public:
  End(const char* transport, int socket)
      : node_(transport), endpoint_(ucx::connect_over(node_, socket)) {
    node_.polls = true;
    for (const Header header : {none, plain, trailer}) {
      node_.handle(header, [this, header](const ucx::Arrived& message) {
        arrived(header, message);
        return UCS_OK;
      });
    }
  }

  /// Starts to send. To be followed by finish_send before the next.
  void send(Message message) {
    const auto payload = std::span(payload_).first(message.payload_size);
    if (message.header == trailer) {
      const auto sent = gradtail::send(endpoint_, trailer, payload, metadata, trailer_, {});
      if (!sent) throw std::runtime_error(to_string(sent.error()));
      sending_ = *sent;
    } else {
      const ucp_request_param_t param{};
      sending_ =
          ucp_am_send_nbx(endpoint_, message.header, plain_.data(), header_sizes[message.header],
                          payload.data(), payload.size(), &param);
    }
  }

  void finish_send() { ucx::check(node_.wait(sending_), "a send"); }

  /// Waits for a message and all of its payload.
  Message receive() {
    node_.progress_until([&] { return has_arrived_; });
    has_arrived_ = false;
    if (failure_ != nullptr) throw std::runtime_error(failure_);
    ucx::check(node_.wait(receiving_), "a receive");
    return message_;
  }

  void close() { node_.close(endpoint_); }

 private:
  void arrived(Header header, const ucx::Arrived& arrived) {
    has_arrived_ = true;
    message_ = {header, arrived.length};
    if (arrived.header_length != header_sizes[header] || arrived.length > largest_payload) {
      failure_ = "a header or payload of another size came than was sent";
    } else if (header != trailer) {
      receiving_ = receive_data(arrived);
    } else if (const auto message = arrived.open(scratch_);
               message && message->metadata() == metadata) {
      receiving_ = message->receive(node_.worker(), memory_, {});
    } else {
      failure_ = "other metadata came than was sent";
    }
  }

  /// What gradtail::ActiveMessage::receive does, for a message without a trailer.
  ucs_status_ptr_t receive_data(const ucx::Arrived& arrived) {
    const ucp_request_param_t param{};
    constexpr std::uint64_t receivable = UCP_AM_RECV_ATTR_FLAG_RNDV | UCP_AM_RECV_ATTR_FLAG_DATA;
    if ((arrived.param.recv_attr & receivable) != 0) {
      return ucp_am_recv_data_nbx(node_.worker(), arrived.data, memory_.data(), arrived.length,
                                  &param);
    }
    std::memcpy(memory_.data(), arrived.data, arrived.length);
    return nullptr;
  }

  ucx::Node node_;
  ucp_ep_h endpoint_;
  std::vector<std::byte> payload_ = std::vector<std::byte>(largest_payload);
  std::vector<std::byte> memory_ = std::vector<std::byte>(largest_payload);
  std::array<std::byte, std::ranges::max(header_sizes)> plain_{};
  gradtail::Trailer trailer_;
  gradtail::TrailerScratch scratch_;
  ucs_status_ptr_t sending_ = nullptr;
  ucs_status_ptr_t receiving_ = nullptr;
  Message message_{};
  const char* failure_ = nullptr;  ///< what a handler found, which can't throw
  bool has_arrived_ = false;
};

/// Answers each request by a message like it.
void serve(const char* transport, int socket, std::size_t requests) {
  End end(transport, socket);
  for (std::size_t i = 0; i < requests; ++i) {
    end.send(end.receive());
    end.finish_send();
  }
  end.close();
}

std::array<std::int64_t, 1> measure(End& end, Message request) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  end.send(request);
  const Message response = end.receive();
  const std::chrono::nanoseconds latency = Clock::now() - start;
  if (response != request) throw std::runtime_error("the response is not like the request");
  end.finish_send();
  return {latency.count()};
}

void call(const char* transport, int socket, std::size_t count) {
  End end(transport, socket);
  for (const std::size_t size : payload_sizes) {
    rounds::run<header_count>(size, count, [&](std::size_t header) {
      return measure(end, {static_cast<Header>(header), size});
    });
  }
  end.close();
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t count = argc == 3 ? rounds::parse(argv[2]) : 0;
  if (count == 0) {
    std::fprintf(stderr, "usage: %s TRANSPORT ROUNDS\n", argv[0]);
    return 2;
  }
  const std::size_t requests = std::size(payload_sizes) * (rounds::warm_up + count) * header_count;
  return two_processes::run_on_sockets(
      "ucx_latency", SOCK_SEQPACKET, [&](int socket) { serve(argv[1], socket, requests); },
      [&](int socket) { call(argv[1], socket, count); }, 3600);
}
