// SPDX-License-Identifier: Apache-2.0
// Two processes exchange messages by libtorch's TensorPipeAgent: the receive handler opens what
// PyTorch hands it, where it lies; damage is reported, and the agents live on.
#include "exchange.hpp"

#include <torch/csrc/distributed/rpc/tensorpipe_agent.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <utility>
#include <vector>

#include "gradtail/torch.hpp"
#include "two_processes.hpp"

namespace {

namespace rpc = torch::distributed::rpc;
using exchange::require;
using Future = rpc::JitFuture;

/// Requests are numbered by the order in which they come: the caller sends one at a time.
constexpr auto request_type = rpc::MessageType::FORWARD_AUTOGRAD_REQ;
constexpr auto answer_type = rpc::MessageType::FORWARD_AUTOGRAD_RESP;

/// Set by the caller when it no longer needs the store, which ends with the server.
constexpr const char* left = "the caller has left";

c10::intrusive_ptr<rpc::Message> make_message(std::vector<char> payload, rpc::MessageType type,
                                              std::vector<torch::Tensor> tensors = {}) {
  return c10::make_intrusive<rpc::Message>(std::move(payload), std::move(tensors), type);
}

/// The request, with room for its trailer. In every fifth a tensor goes along.
c10::intrusive_ptr<rpc::Message> make_request(std::size_t number) {
  const exchange::Message request = exchange::request(number);
  std::vector<char> payload;
  payload.reserve(request.payload_size + gradtail::max_trailer_size);
  payload.resize(request.payload_size);
  exchange::fill(std::as_writable_bytes(std::span(payload)), number);
  std::vector<torch::Tensor> tensors;
  if (number % 5 == 0) tensors.push_back(torch::full({3}, static_cast<std::int64_t>(number)));
  return make_message(std::move(payload), request_type, std::move(tensors));
}

void damage(std::vector<char>& payload, exchange::Damage damage, std::size_t trailer_size) {
  if (damage == exchange::Damage::none) return;
  const auto bytes = std::as_bytes(std::span(payload));
  exchange::Bytes damaged(bytes.begin(), bytes.end());
  exchange::damage(damaged, damage, trailer_size);
  payload.resize(damaged.size());
  std::ranges::transform(damaged, payload.begin(), [](std::byte b) { return char(b); });
}

/// Checks request `number` as it came and gives what to answer.
std::string take_request(std::size_t number, const rpc::Message& request) {
  const auto view = gradtail::open(request);
  const gradtail::Error* error = view ? nullptr : &view.error();
  exchange::check_opened(number, view ? &view->metadata() : nullptr, error);
  if (number % 5 == 0) {
    require(request.tensors().size() == 1 &&
                request.tensors()[0].equal(torch::full({3}, static_cast<std::int64_t>(number))),
            "another tensor came");
  }
  if (view) {
    require(view->payload().empty() || static_cast<const void*>(view->payload().data()) ==
                                           static_cast<const void*>(request.payload().data()),
            "the payload was moved");
    exchange::PayloadCheck check(number);
    check.add(view->payload());
    check.finish();
  }
  return exchange::answer(error);
}

/// The server's receive handler.
class Handler : public rpc::RequestCallback {
 public:
  explicit Handler(std::atomic<std::size_t>& handled) : handled_(handled) {}

 private:
  c10::intrusive_ptr<Future> processMessage(rpc::Message& request,
                                            std::vector<c10::Stream>) const override {
    const std::size_t number = handled_;
    const std::string text = take_request(number, request);
    const auto answer = make_message({text.begin(), text.end()}, answer_type);
    require(gradtail::append(*answer, exchange::answer_metadata(number)).has_value(), "append");
    ++handled_;
    auto future = c10::make_intrusive<Future>(at::AnyClassType::get());
    future->markCompleted(c10::IValue(answer), answer->getStorages());
    return future;
  }

  std::atomic<std::size_t>& handled_;
};

/// From 2.4 on libtorch would take libuv, which Debian's is built without.
template <class Options>
void without_libuv(Options& options) {
  if constexpr (requires { options.useLibUV; }) options.useLibUV = false;
}

c10::intrusive_ptr<c10d::TCPStore> make_store(std::uint16_t port, bool is_server) {
  c10d::TCPStoreOptions options;
  options.port = port;
  options.isServer = is_server;
  options.waitWorkers = false;
  options.timeout = std::chrono::seconds(60);  // the server waits there while all is exchanged
  without_libuv(options);
  return c10::make_intrusive<c10d::TCPStore>("127.0.0.1", options);
}

std::shared_ptr<rpc::TensorPipeAgent> make_agent(const c10::intrusive_ptr<c10d::TCPStore>& store,
                                                 rpc::worker_id_t worker,
                                                 std::unique_ptr<rpc::RequestCallback> handler) {
  setenv("TP_SOCKET_IFNAME", "lo", 1);
  const std::vector<std::string> transports{"uv"};
  const std::vector<std::string> channels{"basic"};
  const rpc::TensorPipeRpcBackendOptions options(4, transports, channels, 20.0F, "");
  auto agent = std::make_shared<rpc::TensorPipeAgent>(
      store, "worker" + std::to_string(worker), worker, 2, options,
      std::unordered_map<std::string, rpc::DeviceMap>{}, std::vector<c10::Device>{},
      std::move(handler));
  agent->start();
  return agent;
}

void serve(const two_processes::Ready& ready) {
  const auto store = make_store(0, true);
  ready(store->getPort());
  std::atomic<std::size_t> handled = 0;
  const auto agent = make_agent(store, 0, std::make_unique<Handler>(handled));
  agent->join(true, 60);
  store->wait({left}, std::chrono::seconds(10));
  require(handled == exchange::count, "handled " + std::to_string(handled) + " requests");
}

void call_once(rpc::TensorPipeAgent& agent, std::size_t number) {
  const exchange::Message expected = exchange::request(number);
  auto request = make_request(number);
  const char* data = request->payload().data();
  const auto size = gradtail::append(*request, expected.metadata);
  require(size && request->payload().data() == data, "append moved the payload");
  damage(request->payload(), expected.damage, *size);
  const auto future = agent.send(agent.getWorkerInfo(rpc::worker_id_t{0}), std::move(request));
  future->waitAndThrow();
  const auto answer = future->value().toCustomClass<rpc::Message>();
  gradtail::TrailerScratch scratch;
  const auto view = gradtail::strip(*answer, scratch);
  require(view && view->metadata() == exchange::answer_metadata(number),
          "the answer to request " + std::to_string(number) + " has other metadata");
  exchange::check_answer(number, {answer->payload().data(), answer->payload().size()});
}

void call(std::uint16_t port) {
  std::atomic<std::size_t> handled = 0;
  const auto store = make_store(port, false);
  const auto agent = make_agent(store, 1, std::make_unique<Handler>(handled));
  for (std::size_t number = 0; number < exchange::count; ++number) call_once(*agent, number);
  agent->join(true, 60);
  store->set(left, std::vector<std::uint8_t>{1});
}

}  // namespace

int main() { return two_processes::run("torch", serve, call); }
