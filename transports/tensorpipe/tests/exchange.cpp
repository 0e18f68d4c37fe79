// SPDX-License-Identifier: Apache-2.0
// Two processes exchange messages by TensorPipe over TCP: payloads stay where their owners put
// them, damage is reported, and the pipe lives on.
#include "exchange.hpp"

#include <charconv>
#include <cstdint>
#include <string>

#include "gradtail/append.hpp"
#include "gradtail/tensorpipe.hpp"
#include "pipe.hpp"
#include "two_processes.hpp"

namespace {

using exchange::Bytes;
using exchange::require;
using gradtail::Trailer;
using gradtail::TrailerScratch;

void add_payload(tensorpipe::Message& message, std::span<const std::byte> bytes) {
  message.payloads.push_back({const_cast<std::byte*>(bytes.data()), bytes.size(), {}});
}

/// As one payload or cut into two, the trailer as one of its own or, in every third message, in
/// the tailroom of the last.
tensorpipe::Message make_request(std::size_t number, Bytes& bytes, Trailer& trailer) {
  const gradtail::AutogradMetadata metadata = exchange::request(number).metadata;
  tensorpipe::Message message;
  if (number % 3 == 0) {
    require(gradtail::append(bytes, metadata).has_value(), "append failed");
    add_payload(message, bytes);
    return message;
  }
  const std::size_t first = number % 2 == 0 ? bytes.size() / 3 : bytes.size();
  add_payload(message, std::span(bytes).first(first));
  add_payload(message, std::span(bytes).subspan(first));
  require(gradtail::append(message, metadata, trailer).has_value(), "append failed");
  require(message.payloads[0].data == bytes.data() &&
              message.payloads[2].data == trailer.bytes().data(),
          "append moved a payload");
  return message;
}

void send_request(tensorpipe::Pipe& pipe, std::size_t number) {
  if (exchange::request(number).damage == exchange::Damage::none) {
    Bytes bytes = exchange::payload_of(number);
    Trailer trailer;
    return pipes::write(pipe, make_request(number, bytes, trailer));
  }
  const exchange::Raw damaged = exchange::damaged(number);
  tensorpipe::Message message;
  add_payload(message, damaged.payload());
  add_payload(message, damaged.trailer());
  pipes::write(pipe, message);
}

void serve_once(tensorpipe::Pipe& pipe, std::size_t number) {
  const pipes::Received received = pipes::read(pipe);
  TrailerScratch scratch;
  const std::string text = exchange::answer(
      number, gradtail::open(received.descriptor, received.allocation, scratch), received.memory);
  tensorpipe::Message answer;
  add_payload(answer, std::as_bytes(std::span(text)));
  Trailer trailer;
  require(gradtail::append(answer, exchange::answer_metadata(number), trailer).has_value(),
          "append failed");
  pipes::write(pipe, answer);
}

void serve(const two_processes::Ready& ready) {
  const pipes::Context context;
  const auto listener = context->listen({"tcp://127.0.0.1:0"});
  const std::string url = listener->url("tcp");
  std::uint16_t port = 0;
  std::from_chars(url.data() + url.rfind(':') + 1, url.data() + url.size(), port);
  ready(port);
  const auto pipe = pipes::accept(*listener);
  for (std::size_t number = 0; number < exchange::count; ++number) serve_once(*pipe, number);
}

void call(std::uint16_t port) {
  const pipes::Context context;
  const auto pipe = context->connect("tcp://127.0.0.1:" + std::to_string(port));
  for (std::size_t number = 0; number < exchange::count; ++number) {
    send_request(*pipe, number);
    const pipes::Received answer = pipes::read(*pipe);
    TrailerScratch scratch;
    exchange::check_answer(number, gradtail::open(answer.descriptor, answer.allocation, scratch));
  }
}

}  // namespace

int main() { return two_processes::run("tensorpipe", serve, call); }
