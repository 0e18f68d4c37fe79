// SPDX-License-Identifier: Apache-2.0
// Two processes exchange messages by libtorch's TensorPipeAgent: the receive handler opens what
// PyTorch hands it, where it lies; damage is reported, and the agents live on.
#include "exchange.hpp"

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

/// The request, its payload where it was made. In every fifth a tensor goes along.
c10::intrusive_ptr<rpc::Message> make_request(std::size_t number) {
  const exchange::Request request = exchange::request(number);
  std::vector<torch::Tensor> tensors;
  if (number % 5 == 0) tensors.push_back(torch::full({3}, static_cast<std::int64_t>(number)));
  if (request.damage != exchange::Damage::none) {
    const exchange::Raw damaged = exchange::damaged(number);
    const auto* bytes = reinterpret_cast<const char*>(damaged.bytes.data());
    return make_message({bytes, bytes + damaged.bytes.size()}, request_type, std::move(tensors));
  }
  std::vector<char> payload;
  payload.reserve(request.payload_size + gradtail::max_trailer_size);
  payload.resize(request.payload_size);
  exchange::fill(std::as_writable_bytes(std::span(payload)), number);
  const char* data = payload.data();
  auto message = make_message(std::move(payload), request_type, std::move(tensors));
  require(gradtail::append(*message, request.metadata).has_value(), "append failed");
  require(message->payload().data() == data, "append moved the payload");
  return message;
}

/// Checks request `number` as it came and gives what to answer.
std::string take_request(std::size_t number, const rpc::Message& request) {
  if (number % 5 == 0) {
    require(request.tensors().size() == 1 &&
                request.tensors()[0].equal(torch::full({3}, static_cast<std::int64_t>(number))),
            "another tensor came");
  }
  return exchange::answer(number, gradtail::open(request),
                          std::as_bytes(std::span(request.payload())));
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
  agent->start();
  torch_agent::leave(0, store, *agent);
  require(handled == exchange::count, "handled " + std::to_string(handled) + " requests");
}

void call_once(rpc::TensorPipeAgent& agent, std::size_t number) {
  const auto future = agent.send(agent.getWorkerInfo(rpc::worker_id_t{0}), make_request(number));
  future->waitAndThrow();
  const auto answer = future->value().toCustomClass<rpc::Message>();
  gradtail::TrailerScratch scratch;
  const auto stripped = gradtail::strip(*answer, scratch);
  require(stripped.has_value(), "an answer without a good trailer");
  exchange::check_answer(number, stripped->metadata(),
                         exchange::pieces_of(std::as_bytes(std::span(answer->payload()))));
}

void call(std::uint16_t port) {
  std::atomic<std::size_t> handled = 0;
  const auto store = torch_agent::make_store(1, "127.0.0.1", port);
  const auto agent = torch_agent::make_agent(1, store, "lo", std::make_unique<Handler>(handled));
  agent->start();
  for (std::size_t number = 0; number < exchange::count; ++number) call_once(*agent, number);
  torch_agent::leave(1, store, *agent);
}

}  // namespace

int main() { return two_processes::run("torch", serve, call); }
