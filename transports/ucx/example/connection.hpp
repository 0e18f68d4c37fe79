// SPDX-License-Identifier: Apache-2.0
// One UCX connection by address and port. Nothing of gradtail is in here.
#pragma once

#include <netdb.h>
#include <ucp/api/ucp.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace placement {

/// What failed, in UCX's words.
inline void check(ucs_status_t status, const std::string& what) {
  if (status != UCS_OK) throw std::runtime_error(what + ": " + ucs_status_string(status));
}

/// A worker with at most one connection, which ends with it at the latest.
class Connection {
 public:
  /// `shared_memory` takes that alone; otherwise UCX chooses, and tells when the peer is gone.
  explicit Connection(bool shared_memory) : shared_memory_(shared_memory) {
    ucp_config_t* config = nullptr;
    check(ucp_config_read(nullptr, nullptr, &config), "UCX's configuration");
    if (shared_memory) check(ucp_config_modify(config, "TLS", "shm,tcp"), "UCX_TLS");
    ucp_params_t params{};
    params.field_mask = UCP_PARAM_FIELD_FEATURES;
    params.features = UCP_FEATURE_AM;
    ucp_context_h context = nullptr;
    const ucs_status_t status = ucp_init(&params, config, &context);
    ucp_config_release(config);
    check(status, "ucp_init");
    context_.reset(context);
    ucp_worker_params_t worker_params{};
    ucp_worker_h worker = nullptr;
    check(ucp_worker_create(context, &worker_params, &worker), "ucp_worker_create");
    worker_.reset(worker);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] ucp_worker_h worker() const { return worker_.get(); }
  [[nodiscard]] ucp_ep_h endpoint() const { return endpoint_; }

  /// Waits at the port for the first peer.
  void accept(const std::string& host, const std::string& port) {
    const Address address(host, port);
    ucp_listener_params_t params{};
    params.field_mask = UCP_LISTENER_PARAM_FIELD_SOCK_ADDR | UCP_LISTENER_PARAM_FIELD_CONN_HANDLER;
    params.sockaddr = address.get();
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
    while (request_ == nullptr) ucp_worker_progress(worker());
    ucp_ep_params_t peer{};
    peer.field_mask = UCP_EP_PARAM_FIELD_CONN_REQUEST;
    peer.conn_request = request_;
    create_endpoint(peer);
  }

  void connect(const std::string& host, const std::string& port) {
    const Address address(host, port);
    ucp_ep_params_t peer{};
    peer.field_mask = UCP_EP_PARAM_FIELD_FLAGS | UCP_EP_PARAM_FIELD_SOCK_ADDR;
    peer.flags = UCP_EP_PARAMS_FLAGS_CLIENT_SERVER;
    peer.sockaddr = address.get();
    create_endpoint(peer);
  }

  /// Makes progress until `done`; throws where the peer is gone.
  void progress_until(const std::function<bool()>& done) {
    while (!done()) {
      ucp_worker_progress(worker());
      check(lost_, "the peer is gone");
    }
  }

  /// Waits for a request of UCX's.
  void wait(ucs_status_ptr_t request, const std::string& what) {
    if (UCS_PTR_IS_PTR(request)) {
      progress_until([&] { return ucp_request_check_status(request) != UCS_INPROGRESS; });
      const ucs_status_t status = ucp_request_check_status(request);
      ucp_request_free(request);
      check(status, what);
    } else {
      check(UCS_PTR_STATUS(request), what);
    }
  }

  /// Closes when all that was sent has left, or when the peer was the first to close: it does so
  /// once it has everything.
  void close() {
    const ucp_request_param_t param{};
    const ucs_status_ptr_t request = ucp_ep_close_nbx(endpoint_, &param);
    ucs_status_t status = UCS_PTR_STATUS(request);
    if (UCS_PTR_IS_PTR(request)) {
      do {
        ucp_worker_progress(worker());
        status = ucp_request_check_status(request);
      } while (status == UCS_INPROGRESS);
      ucp_request_free(request);
    }
    if (status != UCS_ERR_CONNECTION_RESET) check(status, "closing");
  }

 private:
  struct Cleanup {
    void operator()(ucp_context_h context) const { ucp_cleanup(context); }
    void operator()(ucp_worker_h worker) const { ucp_worker_destroy(worker); }
    void operator()(ucp_listener_h listener) const { ucp_listener_destroy(listener); }
    void operator()(addrinfo* list) const { freeaddrinfo(list); }
  };
  template <class Handle>
  using Owner = std::unique_ptr<std::remove_pointer_t<Handle>, Cleanup>;

  class Address {
   public:
    Address(const std::string& host, const std::string& port) {
      addrinfo hints{};
      hints.ai_socktype = SOCK_STREAM;
      addrinfo* list = nullptr;
      const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &list);
      if (error != 0) throw std::runtime_error(host + ":" + port + ": " + gai_strerror(error));
      list_.reset(list);
    }
    [[nodiscard]] ucs_sock_addr_t get() const { return {list_->ai_addr, list_->ai_addrlen}; }

   private:
    Owner<addrinfo*> list_;
  };

  void create_endpoint(ucp_ep_params_t& params) {
    // On shared memory UCX can't tell that a peer is gone. Both ends must ask for it, or neither.
    if (!shared_memory_) {
      params.field_mask |= UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE | UCP_EP_PARAM_FIELD_ERR_HANDLER;
      params.err_mode = UCP_ERR_HANDLING_MODE_PEER;
      params.err_handler.arg = this;
      params.err_handler.cb = [](void* arg, ucp_ep_h, ucs_status_t status) {
        static_cast<Connection*>(arg)->lost_ = status;
      };
    }
    check(ucp_ep_create(worker(), &params, &endpoint_), "ucp_ep_create");
  }

  bool shared_memory_;
  ucs_status_t lost_ = UCS_OK;
  ucp_conn_request_h request_ = nullptr;
  ucp_ep_h endpoint_ = nullptr;
  Owner<ucp_context_h> context_;
  Owner<ucp_worker_h> worker_;
  Owner<ucp_listener_h> listener_;
};

}  // namespace placement
