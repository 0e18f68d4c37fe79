// SPDX-License-Identifier: Apache-2.0
// One UCX connection by address and port.
#pragma once

#include <netdb.h>
#include <ucp/api/ucp.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "node.hpp"

namespace ucx {

/// A worker with at most one connection, which ends with it at the latest.
class Connection : public Node {
 public:
  /// `shared_memory` takes that alone; otherwise UCX chooses, and tells when the peer is gone.
  explicit Connection(bool shared_memory)
      : Node(shared_memory ? "shm,tcp" : nullptr), shared_memory_(shared_memory) {}

  [[nodiscard]] ucp_ep_h endpoint() const { return endpoint_; }

  /// Waits at the port for the first peer.
  void accept(const std::string& host, const std::string& port) {
    const Addresses addresses = resolve(host, port);
    ucp_listener_params_t params{};
    params.field_mask = UCP_LISTENER_PARAM_FIELD_SOCK_ADDR | UCP_LISTENER_PARAM_FIELD_CONN_HANDLER;
    params.sockaddr = {addresses->ai_addr, addresses->ai_addrlen};
    params.conn_handler.arg = this;
    params.conn_handler.cb = [](ucp_conn_request_h request, void* arg) {
      auto* self = static_cast<Connection*>(arg);
      if (self->request_ != nullptr) {
        ucp_listener_reject(self->listener_.get(), request);
      } else {
        self->request_ = request;
      }
    };
    ucp_listener_h listener = nullptr;
    check(ucp_listener_create(worker(), &params, &listener), "can't listen at port " + port);
    listener_.reset(listener);
    progress_until([&] { return request_ != nullptr; });
    ucp_ep_params_t peer{};
    peer.field_mask = UCP_EP_PARAM_FIELD_CONN_REQUEST;
    peer.conn_request = request_;
    connect(peer);
  }

  void connect(const std::string& host, const std::string& port) {
    const Addresses addresses = resolve(host, port);
    ucp_ep_params_t peer{};
    peer.field_mask = UCP_EP_PARAM_FIELD_FLAGS | UCP_EP_PARAM_FIELD_SOCK_ADDR;
    peer.flags = UCP_EP_PARAMS_FLAGS_CLIENT_SERVER;
    peer.sockaddr = {addresses->ai_addr, addresses->ai_addrlen};
    connect(peer);
  }

  /// Waits until `done`; throws if the peer is gone before.
  void wait_until(const std::function<bool()>& done) const {
    progress_until([&] { return lost_ != UCS_OK || done(); });
    check(lost_, "the peer is gone");
  }

  /// Closes when all that was sent has left, or when the peer was the first to close: it does so
  /// once it has everything.
  void close() const {
    const ucs_status_t status = Node::close(endpoint_);
    if (status != UCS_ERR_CONNECTION_RESET) check(status, "closing");
  }

 private:
  struct Free {
    void operator()(addrinfo* list) const { freeaddrinfo(list); }
  };
  using Addresses = std::unique_ptr<addrinfo, Free>;

  static Addresses resolve(const std::string& host, const std::string& port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &list);
    if (error != 0) throw std::runtime_error(host + ":" + port + ": " + gai_strerror(error));
    return Addresses(list);
  }

  // On shared memory UCX can't tell that a peer is gone.
  void connect(const ucp_ep_params_t& peer) {
    endpoint_ = make_endpoint(peer, shared_memory_ ? nullptr : &lose_);
  }

  bool shared_memory_;
  ucs_status_t lost_ = UCS_OK;
  Told lose_ = [this](ucs_status_t status) { lost_ = status; };
  ucp_conn_request_h request_ = nullptr;
  ucp_ep_h endpoint_ = nullptr;
  Owner<ucp_listener_h> listener_;
};

}  // namespace ucx
