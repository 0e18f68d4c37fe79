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

namespace page {

std::promise<bool> was_sent;

void sent(const tensorpipe::Error& error) { was_sent.set_value(!error); }

#include "tensorpipe.inc"

}  // namespace page

using namespace page;

namespace {

std::shared_ptr<tensorpipe::Context> make_context() {
  auto context = std::make_shared<tensorpipe::Context>();
  context->registerTransport(0, "tcp", tensorpipe::transport::uv::create());
  context->registerChannel(0, "basic", tensorpipe::channel::basic::create());
  return context;
}

/// One end of a pipe through this machine's loopback, and the other.
struct Ends {
  Ends() {
    std::promise<std::shared_ptr<tensorpipe::Pipe>> accepted;
    listener->accept([&](const tensorpipe::Error&, std::shared_ptr<tensorpipe::Pipe> pipe) {
      accepted.set_value(std::move(pipe));
    });
    near = context->connect(listener->url("tcp"));
    far = accepted.get_future().get();
  }
  ~Ends() { context->join(); }
  Ends(const Ends&) = delete;
  Ends& operator=(const Ends&) = delete;

  /// The descriptor that the far end receives.
  [[nodiscard]] tensorpipe::Descriptor described() const {
    std::promise<tensorpipe::Descriptor> done;
    far->readDescriptor([&](const tensorpipe::Error&, tensorpipe::Descriptor descriptor) {
      done.set_value(std::move(descriptor));
    });
    return done.get_future().get();
  }
  /// Whether the far end could receive the payloads.
  [[nodiscard]] bool read(const tensorpipe::Allocation& allocation) const {
    std::promise<bool> done;
    far->read(allocation, [&](const tensorpipe::Error& error) { done.set_value(!error); });
    return done.get_future().get();
  }

  std::shared_ptr<tensorpipe::Context> context = make_context();
  /// Takes connections of the pipe for as long as it is being made.
  std::shared_ptr<tensorpipe::Listener> listener = context->listen({"tcp://127.0.0.1:0"});
  std::shared_ptr<tensorpipe::Pipe> near;
  std::shared_ptr<tensorpipe::Pipe> far;
};

}  // namespace

TEST_CASE("the page's sender and receiver understand each other") {
  Ends ends;
  auto outgoing = std::make_shared<Outgoing>();
  outgoing->activations = {1, 2, 3};
  handled_payload.clear();
  REQUIRE(send(*ends.near, outgoing, {.context_id = 9}));

  const tensorpipe::Descriptor descriptor = ends.described();
  REQUIRE(descriptor.payloads.size() == 2);
  std::vector<std::string> memory;
  tensorpipe::Allocation allocation;
  memory.reserve(2);
  for (const auto& payload : descriptor.payloads) {
    allocation.payloads.push_back({memory.emplace_back(payload.length, '?').data()});
  }
  REQUIRE(ends.read(allocation));
  CHECK(was_sent.get_future().get());
  CHECK(on_read(descriptor, allocation));
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
  Ends ends;
  std::string payload = "activations";
  tensorpipe::Message message;
  message.payloads.push_back({payload.data(), payload.size(), {}});
  REQUIRE(add_to_descriptor(message, {.context_id = 10}));
  std::promise<bool> written;
  ends.near->write(message, [&](const tensorpipe::Error& error) { written.set_value(!error); });
  REQUIRE(on_descriptor(ends.described()));
  CHECK(handled_context == 10);
  CHECK(handled_size == payload.size());
  std::string memory(handled_size, '?');
  tensorpipe::Allocation allocation;
  allocation.payloads.push_back({memory.data()});
  CHECK(ends.read(allocation));
  CHECK(written.get_future().get());
  CHECK(memory == payload);
}
