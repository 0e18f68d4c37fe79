// SPDX-License-Identifier: Apache-2.0
// Two processes exchange messages by libtorch's TensorPipeAgent: the receive handler opens what
// PyTorch hands it, where it lies; damage is reported, and the agents live on.
#include "exchange.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../example/agent.hpp"
#include "gradtail/torch.hpp"
#include "two_processes.hpp"

namespace {

namespace rpc = torch::distributed::rpc;
using exchange::require;
using Future = rpc::JitFuture;

/// Requests are numbered by the order in which they come: the caller sends one at a time.
constexpr auto request_type = rpc::MessageType::FORWARD_AUTOGRAD_REQ;
constexpr auto answer_type = rpc::MessageType::FORWARD_AUTOGRAD_RESP;

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

void serve(const two_processes::Ready& ready) {
  const auto store = torch_agent::make_store(0, "127.0.0.1", 0);
  ready(store->getPort());
  std::atomic<std::size_t> handled = 0;
  const auto agent = torch_agent::make_agent(0, store, "lo", std::make_unique<Handler>(handled));
  torch_agent::leave(0, store, *agent);
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
  const auto store = torch_agent::make_store(1, "127.0.0.1", port);
  const auto agent = torch_agent::make_agent(1, store, "lo", std::make_unique<Handler>(handled));
  for (std::size_t number = 0; number < exchange::count; ++number) call_once(*agent, number);
  torch_agent::leave(1, store, *agent);
}

}  // namespace

int main() { return two_processes::run("torch", serve, call); }
