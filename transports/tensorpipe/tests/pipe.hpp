// SPDX-License-Identifier: Apache-2.0
// TensorPipe over TCP for tests: operations wait until they are done, and throw what went wrong.
#pragma once

#include <tensorpipe/tensorpipe.h>

#include <chrono>
#include <cstddef>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "gradtail/tensorpipe.hpp"

namespace pipes {

/// Starts an operation and waits for what its callback is given.
template <class T = bool>
T wait_for(const auto& start) {
  const auto done = std::make_shared<std::promise<std::pair<std::string, T>>>();
  start([done](const tensorpipe::Error& error, T value = {}) {
    done->set_value({error ? error.what() : "", std::move(value)});
  });
  auto future = done->get_future();
  if (future.wait_for(std::chrono::seconds(10)) != std::future_status::ready) {
    throw std::runtime_error("the peer did nothing for 10 s");
  }
  auto [error, value] = future.get();
  if (!error.empty()) throw std::runtime_error(error);
  return std::move(value);
}

/// A context and its end, which waits for what is under way.
class Context {
 public:
  Context() {
    context_->registerTransport(0, "tcp", tensorpipe::transport::uv::create());
    context_->registerChannel(0, "basic", tensorpipe::channel::basic::create());
  }
  ~Context() { context_->join(); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  tensorpipe::Context* operator->() const { return context_.get(); }

 private:
  std::shared_ptr<tensorpipe::Context> context_ = std::make_shared<tensorpipe::Context>();
};

/// The next connection of a listener, which must live until its first message.
inline std::shared_ptr<tensorpipe::Pipe> accept(tensorpipe::Listener& listener) {
  return wait_for<std::shared_ptr<tensorpipe::Pipe>>(
      [&](auto callback) { listener.accept(callback); });
}

inline void write(tensorpipe::Pipe& pipe, const tensorpipe::Message& message) {
  wait_for<>([&](auto callback) { pipe.write(message, callback); });
}

/// What was received: a view of it borrows from all of it.
struct Received {
  tensorpipe::Descriptor descriptor;
  tensorpipe::Allocation allocation;
  std::vector<std::vector<std::byte>> memory;
};

inline tensorpipe::Descriptor read_descriptor(tensorpipe::Pipe& pipe) {
  return wait_for<tensorpipe::Descriptor>([&](auto callback) { pipe.readDescriptor(callback); });
}

/// Reads the payloads of a message whose descriptor has come.
inline Received read_payloads(tensorpipe::Pipe& pipe, tensorpipe::Descriptor descriptor) {
  Received received{std::move(descriptor), {}, {}};
  for (const auto& payload : received.descriptor.payloads) {
    auto& bytes = received.memory.emplace_back(payload.length);
    received.allocation.payloads.push_back({bytes.data()});
  }
  wait_for<>([&](auto callback) { pipe.read(received.allocation, callback); });
  return received;
}

inline Received read(tensorpipe::Pipe& pipe) { return read_payloads(pipe, read_descriptor(pipe)); }

}  // namespace pipes
