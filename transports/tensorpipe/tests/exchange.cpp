// SPDX-License-Identifier: Apache-2.0
// Two processes exchange messages by TensorPipe over TCP: payloads stay where their owners put
// them, damage is reported, and the pipe lives on.
#include "exchange.hpp"

#include <tensorpipe/tensorpipe.h>

#include <charconv>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gradtail/append.hpp"
#include "gradtail/tensorpipe.hpp"
#include "two_processes.hpp"

namespace {

using exchange::Bytes;
using exchange::require;
using gradtail::Trailer;
using gradtail::TrailerScratch;

/// Starts an operation and waits for what its callback is given. Throws what went wrong.
template <class T = bool>
T wait_for(const auto& start) {
  const auto done = std::make_shared<std::promise<std::pair<std::string, T>>>();
  start([done](const tensorpipe::Error& error, T value = {}) {
    done->set_value({error ? error.what() : "", std::move(value)});
  });
  auto future = done->get_future();
  require(future.wait_for(std::chrono::seconds(10)) == std::future_status::ready,
          "the peer did nothing for 10 s");
  auto [error, value] = future.get();
  require(error.empty(), error);
  return std::move(value);
}

/// What was received: the view that `open` gives lives on it.
struct Received {
  tensorpipe::Descriptor descriptor;
  tensorpipe::Allocation allocation;
  std::vector<Bytes> memory;
};

/// A pipe whose operations wait until they are done, and throw what went wrong.
class Channel {
 public:
  explicit Channel(std::shared_ptr<tensorpipe::Pipe> pipe) : pipe_(std::move(pipe)) {}

  void write(const tensorpipe::Message& message) {
    wait_for<>([&](auto callback) { pipe_->write(message, callback); });
  }

  Received read() {
    Received received;
    received.descriptor =
        wait_for<tensorpipe::Descriptor>([&](auto callback) { pipe_->readDescriptor(callback); });
    for (const auto& payload : received.descriptor.payloads) {
      Bytes& bytes = received.memory.emplace_back(payload.length);
      received.allocation.payloads.push_back({bytes.data()});
    }
    wait_for<>([&](auto callback) { pipe_->read(received.allocation, callback); });
    return received;
  }

 private:
  std::shared_ptr<tensorpipe::Pipe> pipe_;
};

/// Context and its end, which waits for what is under way.
struct Context {
  Context() {
    context->registerTransport(0, "tcp", tensorpipe::transport::uv::create());
    context->registerChannel(0, "basic", tensorpipe::channel::basic::create());
  }
  ~Context() { context->join(); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  std::shared_ptr<tensorpipe::Context> context = std::make_shared<tensorpipe::Context>();
};

/// As one payload or cut into two, the trailer as one of its own or, in every third message, in
/// the tailroom of the last.
tensorpipe::Message make_request(std::size_t number, Bytes& bytes, Trailer& trailer) {
  const exchange::Message request = exchange::request(number);
  tensorpipe::Message message;
  if (number % 3 == 0) {
    const auto size = gradtail::append(bytes, request.metadata);
    require(size.has_value(), "append failed");
    exchange::damage(bytes, request.damage, *size);
    message.payloads.push_back({bytes.data(), bytes.size(), {}});
    return message;
  }
  const std::size_t first = number % 2 == 0 ? bytes.size() / 3 : bytes.size();
  message.payloads.push_back({bytes.data(), first, "part 1"});
  message.payloads.push_back({bytes.data() + first, bytes.size() - first, "part 2"});
  require(gradtail::append(message, request.metadata, trailer).has_value(), "append failed");
  require(message.payloads[0].data == bytes.data() &&
              message.payloads[2].data == trailer.bytes().data(),
          "append moved a payload");
  return message;
}

/// Damage to a message whose trailer is a payload of its own.
void damage(tensorpipe::Message& message, exchange::Damage damage, Bytes& trailer) {
  auto& last = message.payloads.back();
  if (damage == exchange::Damage::cut_front) {
    auto& front = message.payloads[message.payloads[0].length == 0 ? 1 : 0];
    front.data = static_cast<std::byte*>(front.data) + 1;
    --front.length;
    return;
  }
  const auto* bytes = static_cast<const std::byte*>(last.data);
  trailer.assign(bytes, bytes + last.length);
  exchange::damage_trailer(trailer, damage);
  last.data = trailer.data();
  last.length = trailer.size();
  if (damage == exchange::Damage::missing) message.payloads.pop_back();
}

void call_once(Channel& channel, std::size_t number) {
  Bytes bytes = exchange::payload_of(number);
  Bytes damaged;
  Trailer trailer;
  tensorpipe::Message message = make_request(number, bytes, trailer);
  if (message.payloads.size() == 3) damage(message, exchange::request(number).damage, damaged);
  channel.write(message);

  const Received answer = channel.read();
  TrailerScratch scratch;
  exchange::check_answer(number, gradtail::open(answer.descriptor, answer.allocation, scratch));
}

void serve_once(Channel& channel, std::size_t number) {
  const Received received = channel.read();
  TrailerScratch scratch;
  std::string text = exchange::check_request(
      number, gradtail::open(received.descriptor, received.allocation, scratch), received.memory);
  tensorpipe::Message answer;
  answer.payloads.push_back({text.data(), text.size(), {}});
  Trailer trailer;
  require(gradtail::append(answer, exchange::answer_metadata(number), trailer).has_value(),
          "append failed");
  channel.write(answer);
}

void serve(const two_processes::Ready& ready) {
  Context own;
  const auto listener = own.context->listen({"tcp://127.0.0.1:0"});
  const std::string url = listener->url("tcp");
  std::uint16_t port = 0;
  std::from_chars(url.data() + url.rfind(':') + 1, url.data() + url.size(), port);
  ready(port);
  Channel channel(wait_for<std::shared_ptr<tensorpipe::Pipe>>(
      [&](auto callback) { listener->accept(callback); }));
  for (std::size_t number = 0; number < exchange::count; ++number) serve_once(channel, number);
}

void call(std::uint16_t port) {
  Context own;
  Channel channel(own.context->connect("tcp://127.0.0.1:" + std::to_string(port)));
  for (std::size_t number = 0; number < exchange::count; ++number) call_once(channel, number);
}

}  // namespace

int main() { return two_processes::run("tensorpipe", serve, call); }
