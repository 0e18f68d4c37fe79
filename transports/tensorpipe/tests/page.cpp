// SPDX-License-Identifier: Apache-2.0
// The code of transports/tensorpipe/README.md compiles and does what the page says.
#include <doctest/doctest.h>
#include <tensorpipe/tensorpipe.h>

#include <cstdint>
#include <future>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

// Before the page includes them: in there a namespace is open.
#include "gradtail/gradtail.hpp"
#include "gradtail/tensorpipe.hpp"
#include "page.hpp"
#include "pipe.hpp"

namespace page {

std::promise<bool> was_sent;

void sent(const tensorpipe::Error& error) { was_sent.set_value(!error); }

#include "tensorpipe.inc"

}  // namespace page

using namespace page;

namespace {

/// One end of a pipe through this machine's loopback, and the other.
struct Ends {
  Ends() { was_sent = {}; }

  pipes::Context context;
  /// Takes connections of the pipe for as long as it is being made.
  std::shared_ptr<tensorpipe::Listener> listener = context->listen({"tcp://127.0.0.1:0"});
  std::shared_ptr<tensorpipe::Pipe> near = context->connect(listener->url("tcp"));
  std::shared_ptr<tensorpipe::Pipe> far = pipes::accept(*listener);
};

}  // namespace

TEST_CASE("the page's sender and receiver understand each other") {
  const Ends ends;
  auto outgoing = std::make_shared<Outgoing>();
  outgoing->activations = {1, 2, 3};
  handled_payload.clear();
  REQUIRE(send(*ends.near, outgoing, {.context_id = 9}));
  const pipes::Received received = pipes::read(*ends.far);
  CHECK(received.memory.size() == 2);
  CHECK(was_sent.get_future().get());
  CHECK(on_read(received.descriptor, received.allocation));
  CHECK(handled_context == 9);
  CHECK(handled_size == 3 * sizeof(float));
  CHECK(handled_payload ==
        std::string(reinterpret_cast<const char*>(outgoing->activations.data()), 12));
}

TEST_CASE("the page's other places for a trailer hold one") {
  tensorpipe::Message message;
  std::vector<char> buffer(100, 'x');
  REQUIRE(add_payload(message, buffer));
  tensorpipe::Descriptor descriptor;
  descriptor.payloads.push_back({message.payloads[0].length, {}});
  tensorpipe::Allocation allocation;
  allocation.payloads.push_back({message.payloads[0].data});
  REQUIRE(on_read(descriptor, allocation));
  CHECK(handled_size == 100);

  message.metadata = "to be replaced";
  REQUIRE(add_to_descriptor(message, {.context_id = 8}));
  descriptor.metadata = message.metadata;
  REQUIRE(on_descriptor(descriptor));
  CHECK(handled_context == 8);
  CHECK(handled_size == message.payloads[0].length);
  descriptor.payloads[0].length += 1;
  CHECK(!on_descriptor(descriptor));
  CHECK(failure.starts_with("corrupt"));
  CHECK(!add_to_descriptor(message, {.context_id = -2}));
  CHECK(message.metadata == descriptor.metadata);
  CHECK(!on_descriptor({}));
  CHECK(failure.starts_with("absent"));
}

TEST_CASE("the page's descriptor brings its trailer before the payload is read") {
  const Ends ends;
  std::string payload = "activations";
  tensorpipe::Message message;
  message.payloads.push_back({payload.data(), payload.size(), {}});
  REQUIRE(add_to_descriptor(message, {.context_id = 10}));
  ends.near->write(message, sent);
  const tensorpipe::Descriptor descriptor = pipes::read_descriptor(*ends.far);
  REQUIRE(on_descriptor(descriptor));
  CHECK(handled_context == 10);
  CHECK(handled_size == payload.size());
  const pipes::Received received = pipes::read_payloads(*ends.far, descriptor);
  CHECK(was_sent.get_future().get());
  CHECK(std::ranges::equal(received.memory.at(0), std::as_bytes(std::span(payload))));
}
