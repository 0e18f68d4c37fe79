// SPDX-License-Identifier: Apache-2.0
// Starting, watching and leaving; each wait has a limit.
#include "link.hpp"

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <utility>

namespace torch_two_workers {

namespace {

class Callback : public rpc::RequestCallback {
 public:
  explicit Callback(Link::Handler handler) : handler_(std::move(handler)) {}

 private:
  Reply processMessage(rpc::Message& request, std::vector<c10::Stream>) const override {
    try {
      return handler_(request);
    } catch (const c10::Error& error) {
      throw std::runtime_error(reason(error));  // or the stack trace would be sent along
    }
  }

  Link::Handler handler_;
};

std::string name_of(std::int16_t worker) { return "worker " + std::to_string(worker); }

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

/// TCP between machines and on one: no memory is shared, no ranges of ports are needed.
rpc::TensorPipeRpcBackendOptions agent_options() {
  const std::vector<std::string> transports{"uv"};
  const std::vector<std::string> channels{"basic"};
  return {8, transports, channels, static_cast<float>(patience.count()), ""};
}

// From 2.4 on libtorch would take libuv, which Debian's is built without.
template <class Options>
void without_libuv(Options& options) {
  if constexpr (requires { options.useLibUV; }) options.useLibUV = false;
}

// Set by worker 1 when it no longer needs the store, which ends with worker 0.
constexpr const char* left = "worker 1 has left";

}  // namespace

void die(std::int16_t worker, const std::string& what) {
  static std::mutex first_alone;
  const std::lock_guard lock(first_alone);  // never released
  std::fflush(stdout);
  std::fputs((name_of(worker) + ": " + what + "\n").c_str(), stderr);
  std::quick_exit(EXIT_FAILURE);
}

std::string reason(const std::exception& error) {
  const auto* of_c10 = dynamic_cast<const c10::Error*>(&error);
  return first_line(of_c10 != nullptr ? of_c10->what_without_backtrace() : error.what());
}

c10::intrusive_ptr<c10d::TCPStore> make_store(std::int16_t worker, const Master& master) {
  c10d::TCPStoreOptions options;
  options.port = master.port;
  options.isServer = worker == 0;
  options.waitWorkers = false;
  options.timeout = start_patience;
  without_libuv(options);
  const std::string address = master.host + " port " + std::to_string(master.port);
  try {
    return c10::make_intrusive<c10d::TCPStore>(master.host, options);
  } catch (const std::exception& error) {
    throw std::runtime_error(
        worker == 0
            ? "can't listen at " + address + ", is the port free? (" + reason(error) + ")"
            : "no worker 0 at " + address + " within " + std::to_string(start_patience.count()) +
                  " s: is it started, with the same --master? (" + reason(error) + ")");
  }
}

Link::Link(std::int16_t self, c10::intrusive_ptr<c10d::TCPStore> store, Handler handler)
    : self_(self), other_(static_cast<std::int16_t>(1 - self)), store_(std::move(store)) {
  try {
    agent_ = std::make_shared<rpc::TensorPipeAgent>(
        store_, "worker" + std::to_string(self), self, 2, agent_options(),
        std::unordered_map<std::string, rpc::DeviceMap>{}, std::vector<c10::Device>{},
        std::make_unique<Callback>(std::move(handler)));
    agent_->start();
  } catch (const std::exception& error) {
    throw std::runtime_error("can't meet " + name_of(other_) + " within " +
                             std::to_string(start_patience.count()) + " s (" + reason(error) + ")");
  }
}

Reply Link::send(rpc::MessageType type, gradtail::AutogradMetadata metadata,
                 std::vector<at::Tensor> tensors, std::string_view text,
                 std::chrono::seconds seconds) {
  metadata.from_worker_id = self_;
  return agent_->send(agent_->getWorkerInfo(other_),
                      make_message(type, metadata, std::move(tensors), text),
                      static_cast<float>(seconds.count()));
}

Message Link::wait(const Reply& reply) const {
  reply->wait();
  if (reply->hasError()) {
    throw std::runtime_error(name_of(other_) +
                             " answers: " + first_line(reply->tryRetrieveErrorMessage()));
  }
  return reply->value().toCustomClass<rpc::Message>();
}

void Link::watch() {
  const Reply reply =
      send(rpc::MessageType::SCRIPT_CALL, {}, {}, "watch", std::chrono::seconds::zero());
  reply->addCallback([self = self_, other = other_](rpc::JitFuture& done) {
    if (done.hasError()) {
      die(self, name_of(other) + " is gone (" + first_line(done.tryRetrieveErrorMessage()) + ")");
    }
  });
}

void Link::leave() {
  agent_->join(true, static_cast<float>(patience.count()));
  if (self_ == 0) {
    store_->wait({left}, patience);
  } else {
    store_->set(left, std::vector<std::uint8_t>{1});
  }
}

}  // namespace torch_two_workers
