// SPDX-License-Identifier: Apache-2.0
// Endpoints for tests: by the address of a worker, in this process or at the other end of a socket.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <span>
#include <stdexcept>
#include <vector>

#include "../example/node.hpp"

namespace ucx {

/// The parameters of a send with these of UCX's flags.
inline ucp_request_param_t with_flags(unsigned flags) {
  ucp_request_param_t param{};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS;
  param.flags = flags;
  return param;
}

/// The bytes by which another node connects to this one.
inline std::vector<std::byte> address_of(const Node& node) {
  ucp_address_t* address = nullptr;
  std::size_t size = 0;
  check(ucp_worker_get_address(node.worker(), &address, &size), "ucp_worker_get_address");
  const auto* bytes = reinterpret_cast<const std::byte*>(address);
  std::vector<std::byte> copy(bytes, bytes + size);
  ucp_worker_release_address(node.worker(), address);
  return copy;
}

/// An endpoint to the worker of this address.
[[nodiscard]] inline ucp_ep_h connect(const Node& node, std::span<const std::byte> address,
                                      Told* lost = nullptr) {
  ucp_ep_params_t params{};
  params.field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS;
  params.address = reinterpret_cast<const ucp_address_t*>(address.data());
  return node.make_endpoint(params, lost);
}

/// An endpoint to the node at the other end of a socket, which calls this too.
[[nodiscard]] inline ucp_ep_h connect_over(const Node& node, int socket, Told* lost = nullptr) {
  const std::vector<std::byte> own = address_of(node);
  std::vector<std::byte> message(1 << 16);
  if (own.size() > message.size() || ::send(socket, own.data(), own.size(), 0) < 0) {
    throw std::runtime_error("can't send the worker's address");
  }
  const ssize_t size = ::recv(socket, message.data(), message.size(), 0);
  if (size <= 0) throw std::runtime_error("no worker's address from the peer");
  return connect(node, std::span(message).first(static_cast<std::size_t>(size)), lost);
}

}  // namespace ucx
