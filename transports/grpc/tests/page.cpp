// SPDX-License-Identifier: Apache-2.0
// The code of transports/grpc/README.md compiles and does what the page says.
#include <doctest/doctest.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cstdint>
#include <future>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <vector>

// Before the page includes them: in there a namespace is open.
#include "gradtail/gradtail.hpp"
#include "gradtail/grpc.hpp"
#include "page.hpp"

namespace page {
#include "grpc.inc"
}  // namespace page

using namespace page;

TEST_CASE("what the gRPC page sends, it receives") {
  const Activations values = {1.5F, -2, 3};
  grpc::ByteBuffer message;
  REQUIRE(make_message(std::make_unique<Activations>(values), {.context_id = 5}, message));
  CHECK(message.Length() == 12 + 48);
  handled_payload.clear();
  REQUIRE(on_read(message));
  CHECK(handled_context == 5);
  CHECK(handled_size == 12);
  CHECK(handled_payload == std::string(reinterpret_cast<const char*>(values.data()), 12));
  handled_context = -1;
  REQUIRE(on_read_buffer(message));
  CHECK(handled_context == 5);
  CHECK(message.Length() == 12);
  CHECK_FALSE(on_read(message));
  CHECK(failure.starts_with("absent"));
  CHECK_FALSE(on_read_buffer(message));
  CHECK_FALSE(make_message(std::make_unique<Activations>(values), {.context_id = -2}, message));
  CHECK(failure.starts_with("invalid"));
}

TEST_CASE("the gRPC page's slices are segments and bytes") {
  const std::string payload = "a payload of more bytes than a slice holds itself";
  grpc::ByteBuffer message;
  REQUIRE(make_message_of({grpc::Slice(payload)}, payload.size(), message));
  REQUIRE(on_read(message));
  CHECK(handled_context == 7);
  grpc::Slice single;
  REQUIRE(message.DumpToSingleSlice(&single).ok());
  handled_size = 0;
  REQUIRE(on_slice(single));
  CHECK(handled_size == payload.size());
}

namespace {

/// Answers every call with what the page's server says of its metadata.
class Service : public grpc::CallbackGenericService {
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* call) override {
    class Reactor : public grpc::ServerGenericBidiReactor {
     public:
      explicit Reactor(const grpc::Status& status) { Finish(status); }
      void OnDone() override { delete this; }
    };
    return new Reactor(on_call(*call));
  }
};

/// A server in this process, and unary calls to it.
class Calls {
 public:
  Calls() {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterCallbackGenericService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = std::make_unique<grpc::GenericStub>(grpc::CreateChannel(
        "127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials()));
  }

  grpc::Status operator()(grpc::ClientContext& call) {
    const grpc::Slice empty("");
    const grpc::ByteBuffer request(&empty, 1);
    grpc::ByteBuffer response;
    std::promise<grpc::Status> done;
    stub_->UnaryCall(&call, "/page/Call", {}, &request, &response,
                     [&](grpc::Status status) { done.set_value(std::move(status)); });
    return done.get_future().get();
  }

 private:
  Service service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<grpc::GenericStub> stub_;
};

}  // namespace

TEST_CASE("the gRPC page's metadata travels with a unary call, and what is wrong ends the call") {
  Calls calls;
  grpc::ClientContext good;
  REQUIRE(add_to_call(good, {.context_id = 11}));
  // No response of the method's is sent: the status tells.
  calls(good);
  CHECK(handled_context == 11);

  grpc::ClientContext without;
  CHECK(calls(without).error_code() == grpc::StatusCode::INVALID_ARGUMENT);

  grpc::ClientContext twice;
  REQUIRE(add_to_call(twice, {.context_id = 11}));
  REQUIRE(add_to_call(twice, {.context_id = 12}));
  CHECK(calls(twice).error_code() == grpc::StatusCode::INVALID_ARGUMENT);

  grpc::ClientContext damaged;
  const auto trailer = gradtail::Trailer::make({.context_id = 11}, 1);
  const auto bytes = trailer->bytes();
  damaged.AddMetadata(metadata_key, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  const grpc::Status refused = calls(damaged);
  CHECK(refused.error_code() == grpc::StatusCode::DATA_LOSS);
  CHECK(refused.error_message().starts_with("corrupt at byte 40: "));

  grpc::ClientContext invalid;
  CHECK_FALSE(add_to_call(invalid, {.context_id = -2}));
}
