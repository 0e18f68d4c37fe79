// SPDX-License-Identifier: Apache-2.0
// One end of UCX for tests: a context, a worker and the endpoints that it makes. Throws what fails.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <ucp/api/ucp.h>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "gradtail/ucx.hpp"

namespace ucx_node {

/// Throws std::runtime_error with UCX's words unless the status is good.
inline void require_ok(ucs_status_t status, const std::string& what) {
  if (status != UCS_OK) throw std::runtime_error(what + ": " + ucs_status_string(status));
}

/// A setting of UCX's, as in the environment but without "UCX_".
struct Setting {
  const char* name;
  const char* value;
};

/// The parameters of a send with these of UCX's flags.
inline ucp_request_param_t with_flags(unsigned flags) {
  ucp_request_param_t param{};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS;
  param.flags = flags;
  return param;
}

/// The arguments of a receive handler.
struct Arrived {
  const void* header;
  std::size_t header_length;
  void* data;
  std::size_t length;
  const ucp_am_recv_param_t& param;

  [[nodiscard]] auto open(gradtail::TrailerScratch& scratch) const {
    return gradtail::open(header, header_length, data, length, param, scratch);
  }
};
using Handler = std::function<ucs_status_t(const Arrived&)>;

/// What is told when a peer is gone, or when a receive is complete.
using Told = std::function<void(ucs_status_t)>;

/// A context with active messages, and its worker.
class Node {
 public:
  /// By this transport of UCX's, such as "tcp" or "shm".
  explicit Node(const char* transport, std::initializer_list<Setting> more = {}) {
    ucp_config_t* config = nullptr;
    require_ok(ucp_config_read(nullptr, nullptr, &config), "ucp_config_read");
    require_ok(ucp_config_modify(config, "TLS", transport), "UCX_TLS");
    for (const auto& [name, value] : more) {
      require_ok(ucp_config_modify(config, name, value), name);
    }
    ucp_params_t params{};
    params.field_mask = UCP_PARAM_FIELD_FEATURES;
    params.features = UCP_FEATURE_AM | UCP_FEATURE_WAKEUP;
    ucp_context_h context = nullptr;
    const ucs_status_t initialized = ucp_init(&params, config, &context);
    ucp_config_release(config);
    require_ok(initialized, "ucp_init");
    context_.reset(context);
    ucp_worker_params_t worker_params{};
    worker_params.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE;
    worker_params.thread_mode = UCS_THREAD_MODE_SINGLE;
    ucp_worker_h worker = nullptr;
    require_ok(ucp_worker_create(context, &worker_params, &worker), "ucp_worker_create");
    worker_.reset(worker);
  }

  [[nodiscard]] ucp_worker_h worker() const { return worker_.get(); }

  /// The bytes by which another node connects to this one.
  [[nodiscard]] std::vector<std::byte> address() const {
    ucp_address_t* address = nullptr;
    std::size_t size = 0;
    require_ok(ucp_worker_get_address(worker(), &address, &size), "ucp_worker_get_address");
    const auto* bytes = reinterpret_cast<const std::byte*>(address);
    std::vector<std::byte> copy(bytes, bytes + size);
    ucp_worker_release_address(worker(), address);
    return copy;
  }

  /// Bytes that UCX takes as an active message's header.
  [[nodiscard]] std::size_t max_header() const {
    ucp_worker_attr_t attributes{};
    attributes.field_mask = UCP_WORKER_ATTR_FIELD_MAX_AM_HEADER;
    require_ok(ucp_worker_query(worker(), &attributes), "ucp_worker_query");
    return attributes.max_am_header;
  }

  /// An endpoint to the worker of this address; `lost` is called when the peer is gone.
  [[nodiscard]] ucp_ep_h connect(std::span<const std::byte> address, Told* lost = nullptr) const {
    ucp_ep_params_t params{};
    params.field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS;
    params.address = reinterpret_cast<const ucp_address_t*>(address.data());
    if (lost != nullptr) {
      params.field_mask |= UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE | UCP_EP_PARAM_FIELD_ERR_HANDLER;
      params.err_mode = UCP_ERR_HANDLING_MODE_PEER;
      params.err_handler.arg = lost;
      params.err_handler.cb = [](void* arg, ucp_ep_h, ucs_status_t status) {
        (*static_cast<Told*>(arg))(status);
      };
    }
    ucp_ep_h endpoint = nullptr;
    require_ok(ucp_ep_create(worker(), &params, &endpoint), "ucp_ep_create");
    return endpoint;
  }

  /// Connects to the node at the other end of a socket, which calls this too.
  [[nodiscard]] ucp_ep_h connect_over(int socket, Told* lost = nullptr) const {
    const std::vector<std::byte> own = address();
    std::vector<std::byte> message(1 << 16);
    if (own.size() > message.size() || ::send(socket, own.data(), own.size(), 0) < 0) {
      throw std::runtime_error("can't send the worker's address");
    }
    const ssize_t size = ::recv(socket, message.data(), message.size(), 0);
    if (size <= 0) throw std::runtime_error("no worker's address from the peer");
    return connect(std::span(message).first(static_cast<std::size_t>(size)), lost);
  }

  /// Has `handler` called for the messages of this id.
  void handle(unsigned id, Handler handler, std::uint32_t flags = UCP_AM_FLAG_WHOLE_MSG) {
    ucp_am_handler_param_t param{};
    param.field_mask = UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_CB |
                       UCP_AM_HANDLER_PARAM_FIELD_ARG | UCP_AM_HANDLER_PARAM_FIELD_FLAGS;
    param.id = id;
    param.cb = [](void* arg, const void* header, std::size_t header_length, void* data,
                  std::size_t length, const ucp_am_recv_param_t* received) {
      return (*static_cast<Handler*>(arg))({header, header_length, data, length, *received});
    };
    param.arg = &(handlers_[id] = std::move(handler));
    param.flags = flags;
    require_ok(ucp_worker_set_am_recv_handler(worker(), &param), "ucp_worker_set_am_recv_handler");
  }

  /// In a handler: receives the payload, and tells `done` its status, perhaps at once.
  void receive(const gradtail::ActiveMessage& message, std::span<std::byte> memory,
               Told done) const {
    auto owner = std::make_unique<Told>(std::move(done));
    ucp_request_param_t param{};
    param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA;
    param.user_data = owner.get();
    param.cb.recv_am = [](void* request, ucs_status_t status, std::size_t, void* arg) {
      const std::unique_ptr<Told> told(static_cast<Told*>(arg));
      (*told)(status);
      ucp_request_free(request);
    };
    const ucs_status_ptr_t request = message.receive(worker(), memory, param);
    if (UCS_PTR_IS_PTR(request)) {
      static_cast<void>(owner.release());  // the callback's, which UCX may have called already
    } else {
      (*owner)(UCS_PTR_STATUS(request));
    }
  }

  /// Makes what progress there is; where there is none, sleeps until there is, 10 ms at most.
  void progress() const {
    if (ucp_worker_progress(worker()) != 0 || polls) return;
    if (ucp_worker_arm(worker()) != UCS_OK) return;
    pollfd events{.fd = -1, .events = POLLIN, .revents = 0};
    require_ok(ucp_worker_get_efd(worker(), &events.fd), "ucp_worker_get_efd");
    poll(&events, 1, 10);
  }

  /// Makes progress until `done` says so; throws after `limit`.
  void progress_until(const std::function<bool()>& done, const std::string& what,
                      std::chrono::seconds limit = std::chrono::seconds(20)) const {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!done()) {
      progress();
      if (std::chrono::steady_clock::now() > end) throw std::runtime_error("no progress: " + what);
    }
  }

  /// Waits for a request to complete, frees it and returns its status.
  [[nodiscard]] ucs_status_t wait(ucs_status_ptr_t request) const {
    if (request == nullptr) return UCS_OK;
    if (UCS_PTR_IS_ERR(request)) return UCS_PTR_STATUS(request);
    progress_until([&] { return ucp_request_check_status(request) != UCS_INPROGRESS; }, "request");
    const ucs_status_t status = ucp_request_check_status(request);
    ucp_request_free(request);
    return status;
  }

  /// Closes an endpoint, after all that was sent has left or, forced, at once.
  void close(ucp_ep_h endpoint, bool force = false) const {
    ucp_request_param_t param{};
    if (force) {
      param.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS;
      param.flags = UCP_EP_CLOSE_FLAG_FORCE;
    }
    try {
      static_cast<void>(wait(ucp_ep_close_nbx(endpoint, &param)));
    } catch (const std::exception& error) {  // destructors call this
      std::fprintf(stderr, "closing an endpoint: %s\n", error.what());
      std::abort();
    }
  }

  /// Never sleep, as programs do that need a short latency.
  bool polls = false;

 private:
  struct Destroy {
    void operator()(ucp_context_h context) const { ucp_cleanup(context); }
    void operator()(ucp_worker_h worker) const { ucp_worker_destroy(worker); }
  };
  std::map<unsigned, Handler> handlers_;
  std::unique_ptr<std::remove_pointer_t<ucp_context_h>, Destroy> context_;
  std::unique_ptr<std::remove_pointer_t<ucp_worker_h>, Destroy> worker_;
};

}  // namespace ucx_node
