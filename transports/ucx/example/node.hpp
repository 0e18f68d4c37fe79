// SPDX-License-Identifier: Apache-2.0
// One end of UCX: a context, a worker, and its active messages with handlers of any kind. Throws
// what fails.
#pragma once

#include <poll.h>
#include <ucp/api/ucp.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "gradtail/ucx.hpp"

namespace ucx {

/// Throws std::runtime_error with UCX's words unless the status is good.
inline void check(ucs_status_t status, const std::string& what) {
  if (status != UCS_OK) throw std::runtime_error(what + ": " + ucs_status_string(status));
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

/// Owns UCX's handles.
struct Destroy {
  void operator()(ucp_context_h context) const { ucp_cleanup(context); }
  void operator()(ucp_worker_h worker) const { ucp_worker_destroy(worker); }
  void operator()(ucp_listener_h listener) const { ucp_listener_destroy(listener); }
};
template <class Handle>
using Owner = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy>;

/// A context with active messages, and its worker.
class Node {
 public:
  /// By these transports of UCX's, such as "tcp" or "shm"; without, as UCX and UCX_TLS have it.
  explicit Node(const char* transports = nullptr) {
    ucp_config_t* config = nullptr;
    check(ucp_config_read(nullptr, nullptr, &config), "UCX's configuration");
    if (transports != nullptr) check(ucp_config_modify(config, "TLS", transports), "UCX_TLS");
    ucp_params_t params{};
    params.field_mask = UCP_PARAM_FIELD_FEATURES;
    params.features = UCP_FEATURE_AM | UCP_FEATURE_WAKEUP;
    ucp_context_h context = nullptr;
    const ucs_status_t initialized = ucp_init(&params, config, &context);
    ucp_config_release(config);
    check(initialized, "ucp_init");
    context_.reset(context);
    ucp_worker_params_t worker_params{};
    ucp_worker_h worker = nullptr;
    check(ucp_worker_create(context, &worker_params, &worker), "ucp_worker_create");
    worker_.reset(worker);
  }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  [[nodiscard]] ucp_worker_h worker() const { return worker_.get(); }

  /// An endpoint to the peer that `params` names. `lost` is told when that is gone; both ends must
  /// ask for it, or neither.
  [[nodiscard]] ucp_ep_h make_endpoint(ucp_ep_params_t params, Told* lost) const {
    if (lost != nullptr) {
      params.field_mask |= UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE | UCP_EP_PARAM_FIELD_ERR_HANDLER;
      params.err_mode = UCP_ERR_HANDLING_MODE_PEER;
      params.err_handler.arg = lost;
      params.err_handler.cb = [](void* arg, ucp_ep_h, ucs_status_t status) {
        (*static_cast<Told*>(arg))(status);
      };
    }
    ucp_ep_h endpoint = nullptr;
    check(ucp_ep_create(worker(), &params, &endpoint), "ucp_ep_create");
    return endpoint;
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
    check(ucp_worker_set_am_recv_handler(worker(), &param), "the receive handler");
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
    check(ucp_worker_get_efd(worker(), &events.fd), "ucp_worker_get_efd");
    poll(&events, 1, 10);
  }

  void progress_until(const std::function<bool()>& done) const {
    while (!done()) progress();
  }

  /// Waits for a request to complete, frees it and returns its status.
  [[nodiscard]] ucs_status_t wait(ucs_status_ptr_t request) const {
    if (!UCS_PTR_IS_PTR(request)) return UCS_PTR_STATUS(request);
    progress_until([&] { return ucp_request_check_status(request) != UCS_INPROGRESS; });
    const ucs_status_t status = ucp_request_check_status(request);
    ucp_request_free(request);
    return status;
  }

  /// Closes an endpoint, after all that was sent has left or, forced, at once.
  ucs_status_t close(ucp_ep_h endpoint, bool force = false) const noexcept {
    ucp_request_param_t param{};
    param.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS;
    param.flags = force ? UCP_EP_CLOSE_FLAG_FORCE : 0;
    try {
      return wait(ucp_ep_close_nbx(endpoint, &param));
    } catch (const std::exception& error) {  // destructors call this
      std::fprintf(stderr, "closing an endpoint: %s\n", error.what());
      std::abort();
    }
  }

  /// Never sleep, as programs do that need a short latency.
  bool polls = false;

 private:
  std::map<unsigned, Handler> handlers_;
  Owner<ucp_context_h> context_;
  Owner<ucp_worker_h> worker_;
};

}  // namespace ucx
