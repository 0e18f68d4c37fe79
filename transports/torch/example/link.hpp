// SPDX-License-Identifier: Apache-2.0
// The connection between the two workers: libtorch's TensorPipeAgent, and the store through which
// the agents find each other.
#pragma once

#include <ifaddrs.h>
#include <netdb.h>
#include <torch/csrc/distributed/rpc/tensorpipe_agent.h>

#include <array>
#include <asio.hpp>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "messages.hpp"

namespace torch_two_workers {

using Store = c10::intrusive_ptr<c10d::TCPStore>;

/// For an answer, and for a worker's next message.
inline constexpr std::chrono::seconds patience{10};
/// For the other worker to be started.
inline constexpr std::chrono::seconds start_patience{30};

/// Ends the process at once, with status 1 and one line that says why: libtorch's threads can't be
/// joined while they wait for a worker that is gone. Of several threads the first one speaks. Calls
/// what std::at_quick_exit was given.
[[noreturn]] inline void die(int worker, const std::string& what) {
  static std::mutex first_alone;
  const std::lock_guard lock(first_alone);  // never released
  support::complain(text("worker ", worker), what);
  std::quick_exit(EXIT_FAILURE);
}

inline std::string first_line(const std::string& all) { return all.substr(0, all.find('\n')); }

/// What an exception says, without libtorch's stack trace.
inline std::string reason(const std::exception& error) {
  const auto* of_c10 = dynamic_cast<const c10::Error*>(&error);
  return first_line(of_c10 != nullptr ? of_c10->what_without_backtrace() : error.what());
}

/// Names and IP addresses of the network interfaces.
inline std::multimap<std::string, std::string> interfaces() {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) throw std::runtime_error("getifaddrs failed");
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(all, &::freeifaddrs);
  std::multimap<std::string, std::string> found;
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    std::array<char, NI_MAXHOST> address{};
    const int family = one->ifa_addr == nullptr ? AF_UNSPEC : one->ifa_addr->sa_family;
    const socklen_t size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    if ((family == AF_INET || family == AF_INET6) &&
        ::getnameinfo(one->ifa_addr, size, address.data(), address.size(), nullptr, 0,
                      NI_NUMERICHOST) == 0) {
      found.emplace(one->ifa_name, address.data());
    }
  }
  return found;
}

/// The kernel knows the way to the master, and with it the address that the master sees. Nothing is
/// sent.
inline std::string interface_towards(const support::Address& master) {
  asio::io_context context;
  std::error_code error;
  const auto targets =
      asio::ip::udp::resolver(context).resolve(master.host, text(master.port), error);
  if (error) {
    throw std::runtime_error(
        text("--master: no address of '", master.host, "' is known: ", error.message()));
  }
  for (const asio::ip::udp::resolver::results_type::value_type& target : targets) {
    asio::ip::udp::socket probe(context, target.endpoint().protocol());
    if (probe.connect(target.endpoint(), error)) continue;
    const std::string source = probe.local_endpoint().address().to_string();
    for (const auto& [name, address] : interfaces()) {
      if (address == source) return name;
    }
  }
  throw std::runtime_error(text("no network interface leads to '", master.host,
                                "': is it up? Otherwise name one with --interface"));
}

/// Names the network interface that the agent listens on, through TP_SOCKET_IFNAME: that of
/// --interface, else that of the variable, else the one that leads to the master. Returns its name.
/// Call it before there are threads. Throws CLI::ValidationError where it has no address,
/// std::runtime_error where nothing leads to the master.
inline std::string choose_interface(std::string name, const support::Address& master) {
  constexpr const char* variable = "TP_SOCKET_IFNAME";
  const char* inherited = std::getenv(variable);
  if (name.empty() && inherited != nullptr) name = inherited;
  if (name.empty()) {
    name = interface_towards(master);
  } else if (!interfaces().contains(name)) {
    // The agent would only warn, and take 127.0.0.1.
    throw CLI::ValidationError("--interface",
                               text("there is no network interface '", name,
                                    "' with an IP address; `ip address` lists those there are"));
  }
  ::setenv(variable, name.c_str(), 1);
  return name;
}

// From 2.4 on libtorch would take libuv, which Debian's is built without.
template <class Options>
void without_libuv(Options& options) {
  if constexpr (requires { options.useLibUV; }) options.useLibUV = false;
}

/// The store: worker 0 holds it, on this port (0: the kernel chooses), worker 1 connects to it.
/// Throws std::runtime_error that says what to do.
inline Store make_store(int worker, const support::Address& master) {
  c10d::TCPStoreOptions options;
  options.port = master.port;
  options.isServer = worker == 0;
  options.waitWorkers = false;
  options.timeout = start_patience;
  without_libuv(options);
  const std::string address = text(master.host, " port ", master.port);
  try {
    return c10::make_intrusive<c10d::TCPStore>(master.host, options);
  } catch (const std::exception& error) {
    throw std::runtime_error(
        worker == 0 ? text("can't listen at ", address, ", is the port free? (", reason(error), ")")
                    : text("no worker 0 at ", address, " within ", start_patience.count(),
                           " s: is it started, with the same --master? (", reason(error), ")"));
  }
}

class Link {
 public:
  /// Answers a request, on a thread of the agent; what it throws is sent as the answer.
  using Handler = std::function<Reply(const rpc::Message& request)>;

  /// Waits until the other worker is there too. Throws std::runtime_error if it doesn't come.
  /// `handler` may be called before this returns.
  Link(int self, Store store, Handler handler)
      : self_(self), other_(text("worker ", 1 - self)), store_(std::move(store)) {
    try {
      agent_ = std::make_shared<rpc::TensorPipeAgent>(
          store_, text("worker", self), static_cast<rpc::worker_id_t>(self), 2, agent_options(),
          std::unordered_map<std::string, rpc::DeviceMap>{}, std::vector<c10::Device>{},
          std::make_unique<Callback>(std::move(handler)));
      agent_->start();
    } catch (const std::exception& error) {
      throw std::runtime_error(text("can't meet ", other_, " within ", start_patience.count(),
                                    " s (", reason(error), ")"));
    }
  }

  /// Sends a request with these metadata, from this worker. `seconds` until it counts as failed;
  /// 0 for never.
  [[nodiscard]] Reply send(rpc::MessageType type, gradtail::AutogradMetadata metadata,
                           std::vector<at::Tensor> tensors, std::string_view body = {},
                           std::chrono::seconds seconds = patience) {
    metadata.from_worker_id = self_;
    return agent_->send(agent_->getWorkerInfo(text("worker", 1 - self_)),
                        make_message(type, metadata, std::move(tensors), body),
                        static_cast<float>(seconds.count()));
  }

  /// The answer to a request. Throws std::runtime_error with what the other worker says is wrong,
  /// or that it doesn't answer.
  [[nodiscard]] Message wait(const Reply& reply) const {
    reply->wait();
    if (!reply->hasError()) return reply->value().toCustomClass<rpc::Message>();
    throw std::runtime_error(
        text(other_, " answers: ", first_line(reply->tryRetrieveErrorMessage())));
  }

  /// From now on this process dies when the other one does: requests an answer that the other gives
  /// at its end, and gets an error instead where the connection breaks.
  void watch() {
    const Reply reply =
        send(rpc::MessageType::SCRIPT_CALL, {}, {}, "watch", std::chrono::seconds::zero());
    reply->addCallback([self = self_, other = other_](rpc::JitFuture& done) {
      if (!done.hasError()) return;
      die(self, text(other, " is gone (", first_line(done.tryRetrieveErrorMessage()), ")"));
    });
  }

  /// Leaves when the other worker does, once everything is answered.
  void leave() {
    agent_->join(true, static_cast<float>(patience.count()));
    if (self_ == 0) {
      store_->wait({left}, patience);
    } else {
      store_->set(left, std::vector<std::uint8_t>{1});
    }
  }

 private:
  // Set by worker 1 when it no longer needs the store, which ends with worker 0.
  static constexpr const char* left = "worker 1 has left";

  class Callback : public rpc::RequestCallback {
   public:
    explicit Callback(Handler handler) : handler_(std::move(handler)) {}

   private:
    Reply processMessage(rpc::Message& request, std::vector<c10::Stream>) const override {
      try {
        return handler_(request);
      } catch (const c10::Error& error) {
        throw std::runtime_error(reason(error));  // or the stack trace would be sent along
      }
    }

    Handler handler_;
  };

  // TCP between machines and on one: no shared memory, no ranges of ports.
  static rpc::TensorPipeRpcBackendOptions agent_options() {
    const std::vector<std::string> transports{"uv"};
    const std::vector<std::string> channels{"basic"};
    return {8, transports, channels, static_cast<float>(patience.count()), ""};
  }

  int self_;
  std::string other_;
  Store store_;
  std::shared_ptr<rpc::TensorPipeAgent> agent_;
};

}  // namespace torch_two_workers
