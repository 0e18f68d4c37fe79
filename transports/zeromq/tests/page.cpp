// SPDX-License-Identifier: Apache-2.0
// The code of transports/zeromq/README.md compiles and does what the page says.
#include <doctest/doctest.h>

#include <cstdint>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>
#include <zmq.hpp>
#include <zmq_addon.hpp>

// Before the page includes them: in there a namespace is open.
#include "gradtail/gradtail.hpp"
#include "gradtail/zeromq.hpp"
#include "page.hpp"

namespace page {

bool handle(std::int64_t context, const std::vector<zmq::message_t>& frames) {
  handled_context = context;
  handled_payload.clear();
  for (const zmq::message_t& frame : frames) {
    handled_payload.append(frame.to_string_view()).append("|");
  }
  return true;
}

void produce(std::span<std::byte> payload) { std::ranges::fill(payload, std::byte{'p'}); }

#include "zeromq.inc"

}  // namespace page

using namespace page;

namespace {

/// Two sockets that are connected in this process.
struct Pair {
  Pair(zmq::socket_type one, zmq::socket_type other) : first(context, one), second(context, other) {
    first.set(zmq::sockopt::rcvtimeo, 5000);
    second.set(zmq::sockopt::rcvtimeo, 5000);
    first.bind("inproc://page");
    second.connect("inproc://page");
  }

  zmq::context_t context;
  zmq::socket_t first;
  zmq::socket_t second;
};

std::unique_ptr<Block> block_of(std::string_view payload, std::size_t room) {
  const auto bytes = std::as_bytes(std::span(payload));
  auto block = std::make_unique<Block>(bytes.begin(), bytes.end());
  block->resize(payload.size() + room);
  return block;
}

std::vector<zmq::message_t> two_frames() {
  std::vector<zmq::message_t> frames;
  frames.emplace_back("pay", 3);
  frames.emplace_back("load", 4);
  return frames;
}

}  // namespace

TEST_CASE("what the ZeroMQ page sends in one frame it receives") {
  Pair pair(zmq::socket_type::pair, zmq::socket_type::pair);
  const gradtail::AutogradMetadata metadata{.context_id = 5};
  REQUIRE(send_block(pair.first, block_of("payload", gradtail::max_trailer_size), 7, metadata));
  REQUIRE(receive_block(pair.second));
  CHECK(handled_context == 5);
  CHECK(handled_payload == "payload");
  CHECK_FALSE(send_block(pair.first, block_of("payload", 47), 7, metadata));
  CHECK(failure.starts_with("no_space at byte 7"));
}

TEST_CASE("what the ZeroMQ page sends in frames it receives") {
  Pair pair(zmq::socket_type::pair, zmq::socket_type::pair);
  REQUIRE(send_frames(pair.first, two_frames(), {.context_id = 6}));
  REQUIRE(receive_frames(pair.second));
  CHECK(handled_context == 6);
  CHECK(handled_payload == "pay|load|");
  CHECK_FALSE(send_frames(pair.first, two_frames(), {.context_id = -6}));
  CHECK(failure.starts_with("invalid at byte 7: context_id"));
  REQUIRE(pair.first.send(zmq::str_buffer("no trailer at all")));
  CHECK_FALSE(receive_frames(pair.second));
  CHECK(failure.starts_with("absent"));
}

TEST_CASE("the ZeroMQ page's ROUTER answers") {
  Pair pair(zmq::socket_type::router, zmq::socket_type::dealer);
  REQUIRE(send_frames(pair.second, two_frames(), {.context_id = 7}));
  REQUIRE(answer(pair.first));
  REQUIRE(receive_frames(pair.second));
  CHECK(handled_context == 7);
  CHECK(handled_payload == "done|");
}

TEST_CASE("the ZeroMQ page's message that is filled in place opens") {
  const zmq::message_t message = fill_in_place(7, {.context_id = 8});
  const auto opened = gradtail::open(message);
  REQUIRE(opened);
  CHECK(opened->metadata().context_id == 8);
  CHECK(opened->payload().size() == 7);
  CHECK(fill_in_place(7, {.context_id = -8}).empty());
}
