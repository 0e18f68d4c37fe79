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

template <class T>
T wait_for(std::future<T> future) {
  require(future.wait_for(std::chrono::seconds(10)) == std::future_status::ready,
          "the peer did nothing for 10 s");
  return future.get();
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
    const auto done = std::make_shared<std::promise<std::string>>();
    pipe_->write(message, [done](const tensorpipe::Error& error) { done->set_value(said(error)); });
    const std::string error = wait_for(done->get_future());
    require(error.empty(), "write: " + error);
  }

  Received read() {
    using Described = std::pair<std::string, tensorpipe::Descriptor>;
    const auto described = std::make_shared<std::promise<Described>>();
    pipe_->readDescriptor(
        [described](const tensorpipe::Error& error, tensorpipe::Descriptor descriptor) {
          described->set_value({said(error), std::move(descriptor)});
        });
    auto [error, descriptor] = wait_for(described->get_future());
    require(error.empty(), "readDescriptor: " + error);
    return fill(std::move(descriptor));
  }

 private:
  static std::string said(const tensorpipe::Error& error) { return error ? error.what() : ""; }

  Received fill(tensorpipe::Descriptor descriptor) {
    Received received{std::move(descriptor), {}, {}};
    for (const auto& payload : received.descriptor.payloads) {
      Bytes& bytes = received.memory.emplace_back(payload.length);
      received.allocation.payloads.push_back({bytes.data()});
    }
    const auto done = std::make_shared<std::promise<std::string>>();
    pipe_->read(received.allocation,
                [done](const tensorpipe::Error& error) { done->set_value(said(error)); });
    const std::string error = wait_for(done->get_future());
    require(error.empty(), "read: " + error);
    return received;
  }

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
  const auto view = gradtail::open(answer.descriptor, answer.allocation, scratch);
  require(view && view->metadata() == exchange::answer_metadata(number),
          "the answer to request " + std::to_string(number) + " has other metadata");
  std::string text;
  for (const auto segment : view->payload()) {
    text.append(reinterpret_cast<const char*>(segment.data()), segment.size());
  }
  exchange::check_answer(number, text);
}

/// The view's payload is that of the request, in the memory that was given to TensorPipe.
template <class View>
void check_payload(std::size_t number, const View& view, const Received& received) {
  exchange::PayloadCheck check(number);
  auto memory = received.memory.begin();
  for (const std::span<const std::byte> segment : view.payload()) {
    while (memory->empty()) ++memory;
    require(segment.data() == memory->data(), "a payload was moved");
    ++memory;
    check.add(segment);
  }
  check.finish();
}

void serve_once(Channel& channel, std::size_t number) {
  const Received received = channel.read();
  TrailerScratch scratch;
  const auto view = gradtail::open(received.descriptor, received.allocation, scratch);
  const gradtail::Error* error = view ? nullptr : &view.error();
  exchange::check_opened(number, view ? &view->metadata() : nullptr, error);
  if (view) check_payload(number, *view, received);

  std::string text = exchange::answer(error);
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
  const auto accepted = std::make_shared<std::promise<std::shared_ptr<tensorpipe::Pipe>>>();
  listener->accept(
      [accepted](const tensorpipe::Error& error, std::shared_ptr<tensorpipe::Pipe> pipe) {
        accepted->set_value(error ? nullptr : std::move(pipe));
      });
  const std::string url = listener->url("tcp");
  std::uint16_t port = 0;
  std::from_chars(url.data() + url.rfind(':') + 1, url.data() + url.size(), port);
  ready(port);
  const auto pipe = wait_for(accepted->get_future());
  require(pipe != nullptr, "nobody was accepted");
  Channel channel(pipe);
  for (std::size_t number = 0; number < exchange::count; ++number) serve_once(channel, number);
}

void call(std::uint16_t port) {
  Context own;
  Channel channel(own.context->connect("tcp://127.0.0.1:" + std::to_string(port)));
  for (std::size_t number = 0; number < exchange::count; ++number) call_once(channel, number);
}

}  // namespace

int main() { return two_processes::run("tensorpipe", serve, call); }
