// SPDX-License-Identifier: Apache-2.0
// Gradients of several passes on one gRPC stream. Copy pack and unpack, which use gradtail, from
// here; the rest is gRPC's callback API.
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <future>
#include <gradtail/gradtail.hpp>
#include <gradtail/grpc.hpp>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace {

using Floats = std::vector<float>;

constexpr const char* method = "/gradtail.example.Gradients/Run";

// The wrapped_message_type of the trailers.
constexpr std::uint32_t activations_type = 1;
constexpr std::uint32_t gradients_type = 2;

/// A message whose payload is these floats, which stay where they are until gRPC has sent them.
grpc::ByteBuffer pack(Floats values, const gradtail::AutogradMetadata& metadata) {
  auto* kept = new Floats(std::move(values));
  const auto release = [](void* sent) { delete static_cast<Floats*>(sent); };
  const grpc::Slice payload(kept->data(), kept->size() * sizeof(float), release, kept);
  grpc::ByteBuffer message(&payload, 1);
  const auto appended = gradtail::append(message, metadata);
  if (!appended) throw std::logic_error(to_string(appended.error()));
  return message;
}

/// Opens a message and gives `take` its metadata and floats. Returns what `take` returns, or the
/// status that ends the stream because of a bad message.
template <class Take>
grpc::Status unpack(const grpc::ByteBuffer& received, Take take) {
  using gradtail::Field;
  std::vector<grpc::Slice> slices;
  gradtail::TrailerScratch scratch;
  const auto message = gradtail::open(received, slices, scratch);
  if (!message) return gradtail::to_status(message.error());
  const gradtail::AutogradMetadata& metadata = message->metadata();
  if (const auto absent = require_fields(metadata, {Field::context_id, Field::message_id})) {
    return gradtail::to_status(*absent);
  }
  if (message->payload_size() % sizeof(float) != 0) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "the payload isn't made of floats"};
  }
  // A copy: gRPC may cut the message anywhere, also in the middle of a float.
  Floats values(message->payload_size() / sizeof(float));
  auto at = std::as_writable_bytes(std::span(values)).begin();
  for (const auto piece : message->payload()) at = std::ranges::copy(piece, at).out;
  return take(metadata, std::move(values));
}

/// The loss of a message is the sum of its squares.
Floats gradients_of(Floats values) {
  for (float& value : values) value *= 2;
  return values;
}

/// The server's end of a stream: answers one message after the other.
class ServerStream : public grpc::ServerGenericBidiReactor {
 public:
  ServerStream() { StartRead(&request_); }

  void OnReadDone(bool is_request) override {
    if (!is_request) return Finish(grpc::Status::OK);
    const auto take = [this](const gradtail::AutogradMetadata& metadata, Floats values) {
      answer_ = pack(gradients_of(std::move(values)), {.context_id = metadata.context_id,
                                                       .message_id = metadata.message_id,
                                                       .from_worker_id = 0,
                                                       .wrapped_message_type = gradients_type});
      return grpc::Status::OK;
    };
    const grpc::Status status = unpack(request_, take);
    if (!status.ok()) return Finish(status);
    StartWrite(&answer_);
  }

  void OnWriteDone(bool is_sent) override {
    if (!is_sent) return Finish(grpc::Status::CANCELLED);
    StartRead(&request_);
  }

  void OnDone() override { delete this; }

 private:
  grpc::ByteBuffer request_;
  grpc::ByteBuffer answer_;
};

/// A generic service takes bytes, and gives bytes back.
class Service : public grpc::CallbackGenericService {
  grpc::ServerGenericBidiReactor* CreateReactor(  // NOLINT: gRPC's name
      grpc::GenericCallbackServerContext* call) override {
    if (call->method() == method) return new ServerStream;
    return grpc::CallbackGenericService::CreateReactor(call);  // UNIMPLEMENTED
  }
};

/// The client's end. It reads while it sends: otherwise both ends could wait for the other to read.
class ClientStream : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  static constexpr std::int64_t pass_count = 4;
  static constexpr std::int64_t message_count = 256;  // of all passes together

  explicit ClientStream(grpc::GenericStub& stub) {
    for (std::int64_t number = 0; number < message_count; ++number) due_.insert(number);
    stub.PrepareBidiStreamingCall(&context_, method, {}, this);
    send_next();
    StartRead(&answer_);
    StartCall();
  }

  void OnWriteDone(bool is_sent) override {
    if (is_sent) send_next();
  }

  void OnReadDone(bool is_answer) override {
    if (!is_answer) return;
    problem_ = unpack(answer_, [this](const auto& metadata, const Floats& values) {
      return check(metadata, values);
    });
    if (!problem_.ok()) return context_.TryCancel();
    StartRead(&answer_);
  }

  void OnDone(const grpc::Status& status) override {
    done_.set_value(problem_.ok() ? status : problem_);
  }

  /// Waits for the end of the stream: OK if every message was answered with its gradients.
  grpc::Status wait() {
    grpc::Status status = done_.get_future().get();
    if (!status.ok() || due_.empty()) return status;
    return {grpc::StatusCode::DATA_LOSS, std::to_string(due_.size()) + " answers are missing"};
  }

 private:
  /// Messages of the passes are interleaved.
  static std::int64_t pass_of(std::int64_t number) { return number % pass_count; }

  static Floats activations_of(std::int64_t number) {
    Floats values(1024);
    std::iota(values.begin(), values.end(), static_cast<float>(number));
    return values;
  }

  void send_next() {
    if (sent_ == message_count) return StartWritesDone();
    request_ = pack(activations_of(sent_), {.context_id = pass_of(sent_),
                                            .message_id = sent_,
                                            .from_worker_id = 1,
                                            .wrapped_message_type = activations_type});
    ++sent_;
    StartWrite(&request_);
  }

  /// Only the ids tell which activations the gradients belong to.
  grpc::Status check(const gradtail::AutogradMetadata& metadata, const Floats& values) {
    const std::int64_t number = metadata.message_id;
    if (due_.erase(number) == 1 && metadata.context_id == pass_of(number) &&
        metadata.wrapped_message_type == gradients_type &&
        values == gradients_of(activations_of(number))) {
      return grpc::Status::OK;
    }
    return {grpc::StatusCode::DATA_LOSS, "a wrong answer: " + to_string(metadata)};
  }

  grpc::ClientContext context_;
  std::int64_t sent_ = 0;  // used only by one write after the other, as is request_
  grpc::ByteBuffer request_;
  std::set<std::int64_t> due_;  // used only by one read after the other, as are the next two
  grpc::ByteBuffer answer_;
  grpc::Status problem_;
  std::promise<grpc::Status> done_;
};

int serve(const std::string& address) {
  Service service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  builder.RegisterCallbackGenericService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server) return 1;  // gRPC has said why
  std::printf("listening on port %d\n", port);
  std::fflush(stdout);
  server->Wait();
  return 0;
}

int call(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);  // call the address itself
  grpc::GenericStub stub(
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
  ClientStream stream(stub);
  const grpc::Status status = stream.wait();
  if (status.ok()) {
    std::printf("PASS: %lld messages of %lld passes answered\n",
                static_cast<long long>(ClientStream::message_count),
                static_cast<long long>(ClientStream::pass_count));
    return 0;
  }
  std::fprintf(stderr, "%s: code %d: %s\n", address.c_str(), status.error_code(),
               status.error_message().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {  // NOLINT(bugprone-exception-escape): it ends the program
  std::string server;
  std::string client;
  CLI::App app("Gradients of several passes on one gRPC stream.");
  auto* ends = app.add_option_group("end")->require_option(1);
  ends->add_option("--listen", server, "HOST:PORT to serve at; port 0: any that is free");
  ends->add_option("--connect", client, "HOST:PORT of a server");
  CLI11_PARSE(app, argc, argv);
  return server.empty() ? call(client) : serve(server);
}
