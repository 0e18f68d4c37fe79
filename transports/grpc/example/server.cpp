// SPDX-License-Identifier: Apache-2.0
// A generic service: bytes in, bytes out, no generated code. Each stream answers one message after
// the other, so what a client can make it keep is bounded.
#include <grpcpp/generic/async_generic_service.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <map>
#include <memory>

#include "ends.hpp"
#include "job.hpp"
#include "message.hpp"
#include "program.hpp"

namespace grpc_stream {

namespace {

using support::say;
using support::text;

/// Which passes of a stream are open, and the answer to each message. Only the trailer says which
/// pass a message belongs to. What it says is checked before it is used.
class Passes {
 public:
  /// The one answer to a message, whatever the message is.
  grpc::ByteBuffer answer(const grpc::ByteBuffer& message) {
    ++answered_;
    std::string problem = received_.take(message);
    if (problem.empty()) problem = check();
    const gradtail::AutogradMetadata& received = received_.metadata();
    const gradtail::AutogradMetadata reply{
        .context_id = received.context_id, .message_id = received.message_id, .from_worker_id = 0};
    if (!problem.empty()) {
      ++refused_;
      return pack(grpc::Slice(problem), Type::refused, reply);
    }
    worker_ = received.from_worker_id;
    return received_.type() == Type::activations ? add(reply) : end(reply);
  }

  [[nodiscard]] std::string summary() const {
    const std::string answered = text(answered_, " messages, ", refused_, " of them refused");
    if (sums_.empty()) return answered;
    return text(answered, "; dropped ", sums_.size(), " passes that had not ended");
  }

 private:
  std::string check() const {
    const auto& metadata = received_.metadata();
    if (metadata.context_id < 0) return "a message without context_id";
    if (metadata.from_worker_id < 1) return "from_worker_id must be 1 or more: 0 is this server";
    if (worker_ != -1 && metadata.from_worker_id != worker_) {
      return text("this stream is worker ", worker_, "'s");
    }
    if (received_.type() == Type::activations) {
      return check_activations(received_.payload_size() / sizeof(float));
    }
    if (received_.type() != Type::end_of_pass) return "a type that no client sends";
    if (received_.payload_size() != 0) return "end_of_pass has no payload";
    return sums_.contains(metadata.context_id) ? "" : "no such pass is open";
  }

  std::string check_activations(std::size_t count) const {
    if (received_.metadata().message_id < 0) return "activations without message_id";
    if (received_.payload_size() > max_payload_size) return "a payload above 16 MiB";
    if (received_.payload_size() % sizeof(float) != 0 || count < 2) {
      return "activations are 2 or more floats of 4 bytes: the target, then the activations";
    }
    const auto pass = sums_.find(received_.metadata().context_id);
    if (pass != sums_.end()) {
      if (pass->second.size() == count - 1) return "";
      return "not as many activations as before in this pass";
    }
    if (sums_.size() == max_open_passes) return "more than 1024 passes are open";
    return count - 1 > max_sums - sums_size_ ? "the open passes have too many activations" : "";
  }

  grpc::ByteBuffer add(const gradtail::AutogradMetadata& reply) {
    const auto values = received_.payload<Floats>();
    std::vector<double>& sums = sums_[reply.context_id];
    if (sums.empty()) {
      sums.resize(values.size() - 1);
      sums_size_ += sums.size();
    }
    add_weight_gradients(sums, values);
    return pack(gradients(values), Type::gradients, reply);
  }

  grpc::ByteBuffer end(const gradtail::AutogradMetadata& reply) {
    const auto pass = sums_.extract(reply.context_id);
    sums_size_ -= pass.mapped().size();
    return pack(rounded(pass.mapped()), Type::weight_gradients, reply);
  }

  Received received_;
  std::int32_t worker_ = -1;                          // who sends on this stream
  std::map<std::int64_t, std::vector<double>> sums_;  // of weight gradients, for each open pass
  std::size_t sums_size_ = 0;                         // of all of them together
  std::size_t answered_ = 0;
  std::size_t refused_ = 0;
};

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
    say(text(peer_, is_lost_ ? ": LOST" : ": done", " after ", passes_.summary()));
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
    Finish({grpc::StatusCode::UNIMPLEMENTED, text("the only method is ", method)});
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

}  // namespace

void serve(const std::string& address) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // before there are threads, which inherit it
  Service service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  builder.RegisterCallbackGenericService(&service);
  builder.SetMaxReceiveMessageSize(static_cast<int>(max_message_size));
  // Otherwise two servers share a port, and the kernel picks one for each client.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // Notices when a client's machine disappears without a word.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 10000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5000);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server || port == 0) {
    throw std::runtime_error(text(
        "can't listen on ", address,
        ": another program has the port, or the address isn't one of this machine; take port 0 "
        "for any that is free (GRPC_VERBOSITY=error shows gRPC's own reasons)"));
  }
  say(text("listening on ", address.substr(0, address.rfind(':') + 1), port));
  int signal = 0;
  sigwait(&signals, &signal);
  say("ending");
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
}

}  // namespace grpc_stream
