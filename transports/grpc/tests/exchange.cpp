// SPDX-License-Identifier: Apache-2.0
// 1,200 messages and their answers on one gRPC stream between two processes, some of them damaged.
#include "exchange.hpp"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "gradtail/grpc.hpp"
#include "two_processes.hpp"

namespace {

using exchange::require;
using Slices = std::vector<grpc::Slice>;

/// A slice that owns the bytes, where they are.
grpc::Slice owning(exchange::Bytes bytes) {
  auto* owned = new exchange::Bytes(std::move(bytes));
  return {owned->data(), owned->size(),
          [](void* done) { delete static_cast<exchange::Bytes*>(done); }, owned};
}

grpc::Slice slice_of(std::span<const std::byte> bytes) { return {bytes.data(), bytes.size()}; }

Slices slices_of(const grpc::ByteBuffer& buffer) {
  Slices slices;
  if (buffer.Valid()) require(buffer.Dump(&slices).ok(), "Dump failed");
  return slices;
}

/// A request as it is sent, its payload where it was made.
grpc::ByteBuffer make_request(std::size_t number) {
  const exchange::Request request = exchange::request(number);
  if (request.damage != exchange::Damage::none) {
    const exchange::Raw damaged = exchange::damaged(number);
    const Slices slices = {slice_of(damaged.payload()), slice_of(damaged.trailer())};
    return {slices.data(), slices.size()};
  }
  const grpc::Slice payload = owning(exchange::payload_of(number));
  grpc::ByteBuffer buffer(&payload, 1);
  require(gradtail::append(buffer, request.metadata).has_value(), "append refused");
  const Slices slices = slices_of(buffer);
  require(slices.size() == 2 && slices[0].begin() == payload.begin(), "append copied the payload");
  return buffer;
}

/// The answer to a request as the server received it: by `open`, and the same by `strip`.
grpc::ByteBuffer make_answer(std::size_t number, grpc::ByteBuffer& received) {
  Slices slices;
  gradtail::TrailerScratch scratch;
  const std::string text =
      exchange::answer(number, gradtail::open(received, slices, scratch), slices);
  const auto stripped = gradtail::strip(received, scratch);
  exchange::answer(number, stripped);
  if (stripped) {
    exchange::check_payload(number, exchange::pieces_of(slices_of(received)));
  } else {
    require(slices_of(received).size() == slices.size(), "a refused strip changed the buffer");
  }
  const grpc::Slice payload(text);
  grpc::ByteBuffer answer(&payload, 1);
  require(gradtail::append(answer, exchange::answer_metadata(number)).has_value(),
          "append refused");
  return answer;
}

void check_answer(std::size_t number, grpc::ByteBuffer& received) {
  gradtail::TrailerScratch scratch;
  const auto stripped = gradtail::strip(received, scratch);
  require(stripped.has_value(), "an answer without a good trailer");
  exchange::check_answer(number, stripped->metadata(), exchange::pieces_of(slices_of(received)));
}

/// The server's end: answers one request after the other. What is wrong ends the stream, and so the
/// caller, who says what it was.
class Server : public grpc::ServerGenericBidiReactor {
 public:
  Server() { StartRead(&request_); }

  void OnReadDone(bool is_request) override {
    try {
      require(is_request || number_ == exchange::count, "the stream ended early");
      if (!is_request) return Finish(grpc::Status::OK);
      answer_ = make_answer(number_++, request_);
      StartWrite(&answer_);
    } catch (const std::exception& error) {
      Finish({grpc::StatusCode::INTERNAL, error.what()});
    }
  }
  void OnWriteDone(bool is_sent) override {
    if (!is_sent) return Finish({grpc::StatusCode::CANCELLED, "an answer could not be sent"});
    StartRead(&request_);
  }
  void OnDone() override { done_.set_value(); }

  void wait() { done_.get_future().wait(); }

 private:
  grpc::ByteBuffer request_;
  grpc::ByteBuffer answer_;
  std::size_t number_ = 0;
  std::promise<void> done_;
};

/// The caller's end.
class Caller : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  explicit Caller(grpc::GenericStub& stub) {
    stub.PrepareBidiStreamingCall(&context_, "/gradtail.test/Exchange", {}, this);
    send_next();
    StartCall();
  }

  // The answer may be there before gRPC has called this.
  void OnWriteDone(bool /*is_sent*/) override { StartRead(&answer_); }
  void OnReadDone(bool is_answer) override {
    if (!is_answer) return;
    try {
      check_answer(number_++, answer_);
      send_next();
    } catch (const std::exception& error) {
      problem_ = error.what();
      context_.TryCancel();
    }
  }
  void OnDone(const grpc::Status& status) override { done_.set_value(status); }

  /// Throws unless all requests got their answers.
  void wait() {
    const grpc::Status status = done_.get_future().get();
    require(problem_.empty(), problem_);
    require(status.ok(), "the stream ended: " + status.error_message());
  }

 private:
  void send_next() {
    if (number_ == exchange::count) return StartWritesDone();
    request_ = make_request(number_);
    StartWrite(&request_);
  }

  grpc::ClientContext context_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer answer_;
  std::size_t number_ = 0;
  std::string problem_;
  std::promise<grpc::Status> done_;
};

/// Has one call answered.
class Service : public grpc::CallbackGenericService {
 public:
  explicit Service(Server& server) : server_(server) {}

 private:
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext*) override {
    return &server_;
  }

  Server& server_;
};

void serve(const two_processes::Ready& ready) {
  Server end;
  Service service(end);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.SetMaxReceiveMessageSize(-1);
  builder.RegisterCallbackGenericService(&service);
  const auto server = builder.BuildAndStart();
  require(server && port != 0, "the server does not start");
  ready(static_cast<std::uint16_t>(port));
  end.wait();
}

void call(std::uint16_t port) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  grpc::GenericStub stub(grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(port),
                                                   grpc::InsecureChannelCredentials(), arguments));
  Caller(stub).wait();
}

}  // namespace

int main() { return two_processes::run("grpc", serve, call, 60); }
