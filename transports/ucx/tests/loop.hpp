// SPDX-License-Identifier: Apache-2.0
// A node of UCX's that talks to itself, by each transport and each way in which payloads arrive.
#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include "connect.hpp"
#include "gradtail/ucx.hpp"

using ucx::Arrived;
using ucx::with_flags;

inline constexpr const char* transports[] = {"self", "tcp", "shm"};
inline constexpr unsigned message_id = 7;

class Loop {
 public:
  explicit Loop(const char* transport = "self", std::uint32_t flags = UCP_AM_FLAG_WHOLE_MSG)
      : node(transport) {
    const auto count_and_handle = [this](const Arrived& arrived) {
      ++calls;
      return handler(arrived);
    };
    node.handle(message_id, count_and_handle, flags);
  }
  ~Loop() { node.close(endpoint); }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Sends, waits until sender and receiver are done, and returns the sender's status.
  ucs_status_t exchange(const auto& payload, const gradtail::AutogradMetadata& metadata,
                        unsigned flags) {
    gradtail::Trailer trailer;
    const auto sent =
        gradtail::send(endpoint, message_id, payload, metadata, trailer, with_flags(flags));
    REQUIRE(sent);
    return finish(*sent);
  }

  /// The same with any bytes as the header.
  ucs_status_t exchange_header(std::span<const std::byte> header,
                               std::span<const std::byte> payload, unsigned flags) {
    const ucp_request_param_t param = with_flags(flags);
    return finish(ucp_am_send_nbx(endpoint, message_id, header.data(), header.size(),
                                  payload.data(), payload.size(), &param));
  }

  /// In a handler: receives.
  ucs_status_t receive(const gradtail::ActiveMessage& message, std::span<std::byte> memory) {
    received = UCS_INPROGRESS;
    receiving = true;
    node.receive(message, memory, [this](ucs_status_t status) {
      received = status;
      receiving = false;
    });
    return UCS_OK;
  }

  ucx::Node node;
  ucp_ep_h endpoint = ucx::connect(node, ucx::address_of(node));
  ucx::Handler handler;
  std::size_t calls = 0;
  bool receiving = false;
  ucs_status_t received = UCS_INPROGRESS;

 private:
  ucs_status_t finish(ucs_status_ptr_t sent) {
    ++exchanges_;
    const ucs_status_t status = node.wait(sent);
    node.progress_until([&] { return calls == exchanges_ && !receiving; });
    return status;
  }

  std::size_t exchanges_ = 0;
};

/// How a payload arrives.
struct Way {
  std::string name;
  unsigned send_flags;
  std::uint32_t handler_flags;
  bool remote;
};
inline const Way ways[] = {
    {"eager", UCP_AM_SEND_FLAG_EAGER, UCP_AM_FLAG_WHOLE_MSG, false},
    {"eager, data kept", UCP_AM_SEND_FLAG_EAGER,
     UCP_AM_FLAG_WHOLE_MSG | UCP_AM_FLAG_PERSISTENT_DATA, false},
    {"rendezvous", UCP_AM_SEND_FLAG_RNDV, UCP_AM_FLAG_WHOLE_MSG, true},
};

/// Runs a test by each transport and each way.
inline void each_way(const std::function<void(const Way&, Loop&)>& test) {
  for (const char* transport : transports) {
    for (const Way& way : ways) {
      CAPTURE(std::string(transport));
      CAPTURE(way.name);
      Loop loop(transport, way.handler_flags);
      test(way, loop);
    }
  }
}
