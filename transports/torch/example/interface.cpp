// SPDX-License-Identifier: Apache-2.0
// The kernel knows the way to the master, and with it the address that the master sees.
#include "interface.hpp"

#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>

namespace torch_two_workers {

namespace {

using Interfaces = std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)>;
using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

bool is_internet(const sockaddr* address) {
  return address != nullptr && (address->sa_family == AF_INET || address->sa_family == AF_INET6);
}

bool same_host(const sockaddr& a, const sockaddr& b) {
  if (a.sa_family != b.sa_family) return false;
  if (a.sa_family == AF_INET) {
    const auto& first = reinterpret_cast<const sockaddr_in&>(a).sin_addr;
    return std::memcmp(&first, &reinterpret_cast<const sockaddr_in&>(b).sin_addr, sizeof first) ==
           0;
  }
  const auto& first = reinterpret_cast<const sockaddr_in6&>(a).sin6_addr;
  return std::memcmp(&first, &reinterpret_cast<const sockaddr_in6&>(b).sin6_addr, sizeof first) ==
         0;
}

/// The first interface that has an internet address of which `wanted` holds; empty if none has.
std::string find_interface(const std::function<bool(const ifaddrs&)>& wanted) {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) throw std::runtime_error("getifaddrs failed");
  const Interfaces owner(all, &::freeifaddrs);
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    if (is_internet(one->ifa_addr) && wanted(*one)) return one->ifa_name;
  }
  return {};
}

/// The address that datagrams to this one would come from. Nothing is sent.
std::optional<sockaddr_storage> source_towards(const addrinfo& target) {
  const int descriptor = ::socket(target.ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return std::nullopt;
  sockaddr_storage source{};
  socklen_t size = sizeof source;
  auto* address = reinterpret_cast<sockaddr*>(&source);
  const bool found = ::connect(descriptor, target.ai_addr, target.ai_addrlen) == 0 &&
                     ::getsockname(descriptor, address, &size) == 0;
  ::close(descriptor);
  return found ? std::optional(source) : std::nullopt;
}

std::string interface_towards(const Master& master) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* all = nullptr;
  const int error =
      ::getaddrinfo(master.host.c_str(), std::to_string(master.port).c_str(), &hints, &all);
  if (error != 0) {
    throw std::runtime_error("--master: no address of '" + master.host +
                             "' is known: " + ::gai_strerror(error));
  }
  const Addresses owner(all, &::freeaddrinfo);
  for (const addrinfo* one = all; one != nullptr; one = one->ai_next) {
    const auto source = source_towards(*one);
    if (!source) continue;
    const auto& address = reinterpret_cast<const sockaddr&>(*source);
    std::string name =
        find_interface([&](const ifaddrs& found) { return same_host(*found.ifa_addr, address); });
    if (!name.empty()) return name;
  }
  throw std::runtime_error("no network interface leads to '" + master.host +
                           "': is it up? Else name one by --interface");
}

}  // namespace

std::string choose_interface(const Options& options) {
  constexpr const char* variable = "TP_SOCKET_IFNAME";
  const char* inherited = std::getenv(variable);
  std::string name = options.interface;
  if (name.empty() && inherited != nullptr) name = inherited;
  if (name.empty()) {
    name = interface_towards(options.master);
  } else if (find_interface([&](const ifaddrs& one) { return name == one.ifa_name; }).empty()) {
    // The agent would only warn, and take 127.0.0.1.
    throw UsageError(
        "there is no network interface '" + name +
        "' with an IP address; --interface takes one of those that `ip address` lists");
  }
  ::setenv(variable, name.c_str(), 1);
  return name;
}

}  // namespace torch_two_workers
