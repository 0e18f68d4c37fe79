// SPDX-License-Identifier: Apache-2.0
// Two processes exchange messages over ZeroMQ, a DEALER and a ROUTER on TCP: one frame with the
// trailer behind the payload, or payload frames and a last one with the trailer.
#include "exchange.hpp"

#include <array>
#include <atomic>
#include <iterator>
#include <memory>
#include <string>
#include <vector>
#include <zmq.hpp>
#include <zmq_addon.hpp>

#include "gradtail/gradtail.hpp"
#include "gradtail/zeromq.hpp"
#include "two_processes.hpp"

using exchange::Bytes;
using exchange::require;
using Frames = std::vector<zmq::message_t>;

namespace {

constexpr int seconds_to_wait = 10;

/// Blocks whose messages are still on their way.
std::atomic<std::size_t> lent = 0;

/// The frames of request `number` before the trailer's; 0 for payload and trailer in one.
std::size_t payload_frames(std::size_t number) {
  return std::array<std::size_t, 3>{0, 1, 3}[number % 3];
}

zmq::socket_t socket_of(zmq::context_t& context, zmq::socket_type type) {
  zmq::socket_t socket(context, type);
  socket.set(zmq::sockopt::rcvtimeo, seconds_to_wait * 1000);
  socket.set(zmq::sockopt::sndtimeo, seconds_to_wait * 1000);
  socket.set(zmq::sockopt::linger, 1000);
  socket.set(zmq::sockopt::maxmsgsize,
             static_cast<std::int64_t>(exchange::most + gradtail::max_trailer_size));
  return socket;
}

void release(void* /*data*/, void* hint) {
  delete static_cast<std::shared_ptr<Bytes>*>(hint);
  --lent;
}

/// A frame that lies in the block and keeps it.
zmq::message_t frame_in(const std::shared_ptr<Bytes>& block, std::size_t at, std::size_t size) {
  ++lent;
  return {block->data() + at, size, release, new std::shared_ptr<Bytes>(block)};
}

zmq::message_t copy_of(std::span<const std::byte> bytes) { return {bytes.data(), bytes.size()}; }

/// Payload and trailer in one frame, over the memory that the payload was made in.
Frames one_frame(std::size_t number) {
  const exchange::Request request = exchange::request(number);
  const auto block = std::make_shared<Bytes>(exchange::payload_of(number));
  block->resize(request.payload_size + gradtail::max_trailer_size);
  ++lent;
  auto message = gradtail::append(*block, request.payload_size, request.metadata, release,
                                  new std::shared_ptr<Bytes>(block));
  require(message.has_value() && message->data() == block->data(), "the payload was copied");
  Frames frames;
  frames.push_back(std::move(*message));
  return frames;
}

/// Frames in one block of memory, and the trailer's.
Frames several_frames(std::size_t number) {
  const exchange::Request request = exchange::request(number);
  const auto block = std::make_shared<Bytes>(exchange::payload_of(number));
  Frames frames;
  std::size_t at = 0;
  for (std::size_t left = payload_frames(number); left > 0; --left) {
    const std::size_t size = (request.payload_size - at) / left;
    frames.push_back(frame_in(block, at, size));
    at += size;
  }
  require(gradtail::append(frames, request.metadata).has_value(), "the metadata was refused");
  require(frames.front().data() == block->data(), "the payload was copied");
  return frames;
}

Frames make_request(std::size_t number) {
  const bool is_one = payload_frames(number) == 0;
  if (exchange::request(number).damage == exchange::Damage::none) {
    return is_one ? one_frame(number) : several_frames(number);
  }
  const exchange::Raw damaged = exchange::damaged(number);
  Frames frames;
  if (is_one) {
    frames.push_back(copy_of(damaged.bytes));
  } else {
    frames.push_back(copy_of(damaged.payload()));
    frames.push_back(copy_of(damaged.trailer()));
  }
  return frames;
}

Frames receive(zmq::socket_t& socket) {
  Frames frames;
  require(zmq::recv_multipart(socket, std::back_inserter(frames)).has_value(),
          "nothing came for " + std::to_string(seconds_to_wait) + " s");
  return frames;
}

void call(std::uint16_t port) {
  {
    zmq::context_t context;
    zmq::socket_t socket = socket_of(context, zmq::socket_type::dealer);
    socket.connect("tcp://127.0.0.1:" + std::to_string(port));
    for (std::size_t number = 0; number < exchange::count; ++number) {
      Frames request = make_request(number);
      require(zmq::send_multipart(socket, request).has_value(), "could not send");
      Frames answer = receive(socket);
      gradtail::TrailerScratch scratch;
      const auto stripped = gradtail::strip(answer, scratch);
      require(stripped && answer.size() == 1, "an answer of another form");
      exchange::check_answer(number, stripped->metadata(), exchange::pieces_of(answer));
    }
  }
  require(lent == 0, std::to_string(lent) + " blocks were never given back");
}

/// Checks the request and returns the answer.
std::string take(std::size_t number, Frames& frames) {
  gradtail::TrailerScratch scratch;
  if (payload_frames(number) == 0) {
    require(frames.size() == 1, "one frame became several");
    return exchange::answer(number, gradtail::open(frames.front()), frames);
  }
  std::string text = exchange::answer(number, gradtail::open(frames, scratch), frames);
  const exchange::Pieces before = exchange::pieces_of(frames);
  const auto stripped = gradtail::strip(frames, scratch);
  exchange::answer(number, stripped);
  if (stripped) {
    exchange::check_payload(number, exchange::pieces_of(frames));
    exchange::check_in_place(exchange::pieces_of(frames), before);
  }
  return text;
}

void serve(const two_processes::Ready& ready) {
  zmq::context_t context;
  zmq::socket_t socket = socket_of(context, zmq::socket_type::router);
  socket.bind("tcp://127.0.0.1:*");
  const std::string endpoint = socket.get(zmq::sockopt::last_endpoint);
  ready(static_cast<std::uint16_t>(std::stoul(endpoint.substr(endpoint.rfind(':') + 1))));
  for (std::size_t number = 0; number < exchange::count; ++number) {
    Frames frames = receive(socket);
    zmq::message_t peer = std::move(frames.front());
    frames.erase(frames.begin());
    Frames answer;
    answer.emplace_back(take(number, frames));
    require(gradtail::append(answer, exchange::answer_metadata(number)).has_value(),
            "the answer's metadata was refused");
    answer.insert(answer.begin(), std::move(peer));
    require(zmq::send_multipart(socket, answer).has_value(), "could not answer");
  }
}

}  // namespace

int main() { return two_processes::run("zeromq", serve, call); }
