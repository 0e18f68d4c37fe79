// SPDX-License-Identifier: Apache-2.0
// 1,200 messages and their answers on one gRPC stream between two processes, some of them damaged.
#include "exchange.hpp"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <string>
#include <vector>

#include "gradtail/grpc.hpp"
#include "two_processes.hpp"

namespace {

using exchange::require;
using Slices = std::vector<grpc::Slice>;

/// Waits for the one operation that is under way; whether it succeeded.
template <class Queue>
bool done(Queue& queue) {
  void* tag = nullptr;
  bool succeeded = false;
  const auto limit = std::chrono::system_clock::now() + std::chrono::seconds(20);
  const auto got = queue.AsyncNext(&tag, &succeeded, limit);
  require(got == grpc::CompletionQueue::GOT_EVENT, "nothing happened for 20 s");
  return succeeded;
}

Slices slices_of(const grpc::ByteBuffer& buffer) {
  Slices slices;
  if (buffer.Valid()) require(buffer.Dump(&slices).ok(), "Dump failed");
  return slices;
}

std::span<const std::byte> bytes_of(const grpc::Slice& slice) {
  return std::as_bytes(std::span(slice.begin(), slice.size()));
}

/// A slice that owns the bytes, where they are.
grpc::Slice owning(exchange::Bytes bytes) {
  auto* owned = new exchange::Bytes(std::move(bytes));
  return {owned->data(), owned->size(),
          [](void* done) { delete static_cast<exchange::Bytes*>(done); }, owned};
}

void damage(grpc::ByteBuffer& buffer, exchange::Damage damage) {
  Slices slices = slices_of(buffer);
  const auto bytes = bytes_of(slices.back());
  exchange::Bytes trailer(bytes.begin(), bytes.end());
  exchange::damage_trailer(trailer, damage);
  slices.back() = owning(std::move(trailer));
  if (damage == exchange::Damage::cut_front) {
    slices.front() = slices.front().sub(1, slices.front().size());
  }
  grpc::ByteBuffer(slices.data(), slices.size()).Swap(&buffer);
}

/// A request as it is sent, its payload where it was made.
grpc::ByteBuffer request(std::size_t number) {
  const auto message = exchange::request(number);
  const grpc::Slice payload = owning(exchange::payload_of(number));
  grpc::ByteBuffer buffer(&payload, 1);
  require(gradtail::append(buffer, message.metadata).has_value(), "append refused");
  const Slices slices = slices_of(buffer);
  require(slices.size() == 2 && slices[0].begin() == payload.begin(), "append copied the payload");
  if (message.damage != exchange::Damage::none) damage(buffer, message.damage);
  return buffer;
}

/// Checks that each piece lies in the slice of the same number that gRPC received.
void check_payload(std::size_t number, const auto& payload, const Slices& received) {
  exchange::PayloadCheck check(number);
  auto slice = received.begin();
  for (const auto& part : payload) {
    const std::span piece = std::as_bytes(std::span(part.begin(), part.end()));
    while (slice->size() == 0) ++slice;
    require(slice->size() <= GRPC_SLICE_INLINED_SIZE || bytes_of(*slice).data() == piece.data(),
            "the payload was copied");
    check.add(piece);
    ++slice;
  }
  check.finish();
}

/// The answer to a request as the server received it: by `open`, and the same by `strip`.
grpc::ByteBuffer answer(std::size_t number, grpc::ByteBuffer& received) {
  const Slices before = slices_of(received);
  Slices slices;
  gradtail::TrailerScratch scratch;
  const auto opened = gradtail::open(received, slices, scratch);
  exchange::check_opened(number, opened ? &opened->metadata() : nullptr,
                         opened ? nullptr : &opened.error());
  if (opened) check_payload(number, opened->payload(), before);
  const std::string text = exchange::answer(opened ? nullptr : &opened.error());

  const auto stripped = gradtail::strip(received, scratch);
  exchange::check_opened(number, stripped ? &stripped->metadata() : nullptr,
                         stripped ? nullptr : &stripped.error());
  if (stripped) {
    check_payload(number, slices_of(received), before);
  } else {
    require(slices_of(received).size() == before.size(), "a refused strip changed the buffer");
  }

  const grpc::Slice payload(text);
  grpc::ByteBuffer reply(&payload, 1);
  require(gradtail::append(reply, exchange::answer_metadata(number)).has_value(), "append refused");
  return reply;
}

void answer_all(grpc::GenericServerAsyncReaderWriter& stream, grpc::ServerCompletionQueue& queue) {
  grpc::ByteBuffer received;
  for (std::size_t number = 0;; ++number) {
    stream.Read(&received, nullptr);
    if (!done(queue)) return require(number == exchange::count, "the stream ended early");
    stream.Write(answer(number, received), nullptr);
    require(done(queue), "an answer could not be sent");
  }
}

/// What is wrong ends the stream, and so the caller, who says what it was.
void serve_stream(grpc::GenericServerAsyncReaderWriter& stream,
                  grpc::ServerCompletionQueue& queue) {
  grpc::Status status;
  try {
    answer_all(stream, queue);
  } catch (const std::exception& error) {
    status = {grpc::StatusCode::INTERNAL, error.what()};
  }
  stream.Finish(status, nullptr);
  require(done(queue), "the stream could not be ended");
  require(status.ok(), status.error_message());
}

/// Ends a server however its stream went: at once, without waiting for calls.
struct Ending {
  grpc::Server& server;
  grpc::ServerCompletionQueue& queue;
  ~Ending() {
    server.Shutdown(std::chrono::system_clock::now());
    queue.Shutdown();
    void* tag = nullptr;
    bool succeeded = false;
    while (queue.Next(&tag, &succeeded)) {
    }
  }
};

void serve(const two_processes::Ready& ready) {
  grpc::AsyncGenericService service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.SetMaxReceiveMessageSize(-1);
  builder.RegisterAsyncGenericService(&service);
  const auto queue = builder.AddCompletionQueue();
  const auto server = builder.BuildAndStart();
  require(server && port != 0, "the server does not start");
  const Ending ending{*server, *queue};
  grpc::GenericServerContext context;
  grpc::GenericServerAsyncReaderWriter stream(&context);
  service.RequestCall(&context, &stream, queue.get(), queue.get(), nullptr);
  ready(static_cast<std::uint16_t>(port));
  require(done(*queue), "nobody called");
  serve_stream(stream, *queue);
}

void check_received(std::size_t number, grpc::ByteBuffer& received) {
  gradtail::TrailerScratch scratch;
  const auto stripped = gradtail::strip(received, scratch);
  require(stripped.has_value(), "an answer without a good trailer");
  require(stripped->metadata() == exchange::answer_metadata(number), "another answer's metadata");
  grpc::Slice text;
  require(received.DumpToSingleSlice(&text).ok(), "an answer without text");
  exchange::check_answer(number, {reinterpret_cast<const char*>(text.begin()), text.size()});
}

void send_all(grpc::GenericClientAsyncReaderWriter& stream, grpc::CompletionQueue& queue) {
  grpc::ByteBuffer received;
  for (std::size_t number = 0; number < exchange::count; ++number) {
    stream.Write(request(number), nullptr);
    if (!done(queue)) return;
    stream.Read(&received, nullptr);
    if (!done(queue)) return;
    check_received(number, received);
  }
  stream.WritesDone(nullptr);
  require(done(queue), "the end could not be sent");
}

void call(std::uint16_t port) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  grpc::GenericStub stub(grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(port),
                                                   grpc::InsecureChannelCredentials(), arguments));
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  const auto stream = stub.PrepareCall(&context, "/gradtail.test/Exchange", &queue);
  stream->StartCall(nullptr);
  require(done(queue), "the call does not start");
  send_all(*stream, queue);
  grpc::Status status;
  stream->Finish(&status, nullptr);
  require(done(queue), "the stream does not end");
  require(status.ok(), "the stream ended: " + status.error_message());
  queue.Shutdown();
}

}  // namespace

int main() { return two_processes::run("grpc", serve, call, 60); }
