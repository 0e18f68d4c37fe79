// SPDX-License-Identifier: Apache-2.0
// A generic service: bytes in, bytes out, no generated code. Each stream answers one message after
// the other, so what a client can make it keep is bounded.
#include "server.hpp"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <utility>

#include "passes.hpp"

namespace grpc_stream {

namespace {

void say(const std::string& line) {
  std::fputs((line + "\n").c_str(), stdout);
  std::fflush(stdout);
}

class Stream : public grpc::ServerGenericBidiReactor {
 public:
  explicit Stream(std::string peer) : peer_(std::move(peer)) {
    say(peer_ + ": connected");
    StartRead(&message_);
  }

  void OnReadDone(bool is_message) override {
    if (!is_message) return Finish(grpc::Status::OK);
    answer_ = passes_.answer(message_);
    StartWrite(&answer_);
  }

  void OnWriteDone(bool is_sent) override {
    if (!is_sent) return Finish(grpc::Status::CANCELLED);
    StartRead(&message_);
  }

  void OnCancel() override { is_lost_ = true; }

  void OnDone() override {
    std::string line = peer_ + (is_lost_ ? ": LOST" : ": done") + " after " +
                       std::to_string(passes_.answered()) + " messages, " +
                       std::to_string(passes_.refused()) + " of them refused";
    if (passes_.open() != 0) {
      line += "; dropped " + std::to_string(passes_.open()) + " passes that had not ended";
    }
    say(line);
    delete this;
  }

 private:
  std::string peer_;
  Passes passes_;
  grpc::ByteBuffer message_;
  grpc::ByteBuffer answer_;
  std::atomic<bool> is_lost_ = false;
};

class Unimplemented : public grpc::ServerGenericBidiReactor {
 public:
  Unimplemented() {
    Finish({grpc::StatusCode::UNIMPLEMENTED, std::string("the only method is ") + method});
  }
  void OnDone() override { delete this; }
};

class Service : public grpc::CallbackGenericService {
 public:
  grpc::ServerGenericBidiReactor* CreateReactor(  // NOLINT: gRPC's name
      grpc::GenericCallbackServerContext* context) override {
    if (context->method() == method) return new Stream(context->peer());
    return new Unimplemented;
  }
};

std::unique_ptr<grpc::Server> start(const std::string& address, Service& service, int& port) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  builder.RegisterCallbackGenericService(&service);
  builder.SetMaxReceiveMessageSize(static_cast<int>(max_message_size));
  // Otherwise two servers share a port, and the kernel picks one for each client.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // A client's machine that is gone without a word is noticed.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 10000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5000);
  return builder.BuildAndStart();
}

}  // namespace

void serve(const std::string& address) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // before there are threads, who inherit it
  Service service;
  int port = 0;
  const auto server = start(address, service, port);
  if (!server || port == 0) {
    throw std::runtime_error(
        "can't listen on " + address +
        ": another program has the port, or the address isn't one of this machine; take port 0 for "
        "any that is free (GRPC_VERBOSITY=error shows gRPC's own reasons)");
  }
  say("listening on " + address.substr(0, address.rfind(':') + 1) + std::to_string(port));
  int signal = 0;
  sigwait(&signals, &signal);
  say("ending");
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
}

}  // namespace grpc_stream
