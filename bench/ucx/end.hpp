// SPDX-License-Identifier: Apache-2.0
// One end of the UCX benchmark: active messages with no header, plain bytes or a trailer.
#pragma once

#include <ucp/api/ucp.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "gradtail/ucx.hpp"
#include "node.hpp"

namespace ucx_latency {

/// What a message carries as its header, and the active message's id.
enum Header : unsigned { none, plain, trailer, header_count };
constexpr std::size_t header_sizes[header_count] = {0, 64, 64};

constexpr std::size_t largest_payload = std::size_t{64} << 10;

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

/// Polls without sleeping, as programs do that need a short latency. Throws what fails.
class End {
 public:
  End(const char* transport, int socket) : node_(transport), endpoint_(node_.connect_over(socket)) {
    node_.set_handler(none, arrived<none>, this);
    node_.set_handler(plain, arrived<plain>, this);
    node_.set_handler(trailer, arrived<trailer>, this);
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

  /// Waits until the send is complete.
  void finish_send() { finish(sending_, "the end of a send"); }

  /// Waits for a message and all of its payload.
  Message receive() {
    poll_until([&] { return has_arrived_; }, "a message");
    has_arrived_ = false;
    if (failure_ != nullptr) throw std::runtime_error(failure_);
    finish(receiving_, "the end of a receive");
    return message_;
  }

  void close() { node_.close(endpoint_); }

 private:
  template <Header header>
  static ucs_status_t arrived(void* arg, const void* bytes, std::size_t size, void* data,
                              std::size_t length, const ucp_am_recv_param_t* param) {
    End& end = *static_cast<End*>(arg);
    end.has_arrived_ = true;
    end.message_ = {header, length};
    if (size != header_sizes[header] || length > largest_payload) {
      end.failure_ = "a header or payload of another size came than was sent";
    } else if (header != trailer) {
      end.receiving_ = end.receive_data(data, length, *param);
    } else if (const auto message = gradtail::open(bytes, size, data, length, *param, end.scratch_);
               message && message->metadata() == metadata) {
      end.receiving_ = message->receive(end.node_.worker(), end.memory_, {});
    } else {
      end.failure_ = "other metadata came than was sent";
    }
    return UCS_OK;
  }

  /// What gradtail::ActiveMessage::receive does, for a message without a trailer.
  ucs_status_ptr_t receive_data(void* data, std::size_t length, const ucp_am_recv_param_t& param) {
    const ucp_request_param_t receive{};
    if ((param.recv_attr & (UCP_AM_RECV_ATTR_FLAG_RNDV | UCP_AM_RECV_ATTR_FLAG_DATA)) != 0) {
      return ucp_am_recv_data_nbx(node_.worker(), data, memory_.data(), length, &receive);
    }
    std::memcpy(memory_.data(), data, length);
    return nullptr;
  }

  void finish(ucs_status_ptr_t request, const char* what) {
    if (!UCS_PTR_IS_PTR(request)) return ucx_node::require_ok(UCS_PTR_STATUS(request), what);
    poll_until([&] { return ucp_request_check_status(request) != UCS_INPROGRESS; }, what);
    const ucs_status_t status = ucp_request_check_status(request);
    ucp_request_free(request);
    ucx_node::require_ok(status, what);
  }

  template <class Done>
  void poll_until(Done done, const char* what) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point limit = Clock::now() + std::chrono::seconds(20);
    while (!done()) {
      ucp_worker_progress(node_.worker());
      if (Clock::now() > limit) throw std::runtime_error(std::string("20 s without ") + what);
    }
  }

  ucx_node::Node node_;
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

}  // namespace ucx_latency
