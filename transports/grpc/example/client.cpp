// SPDX-License-Identifier: Apache-2.0
// Sends and receives at the same time: if it sent everything first, both ends would wait for the
// other to read.
#include "client.hpp"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <stdexcept>
#include <string>

#include "message.hpp"
#include "work.hpp"

namespace grpc_stream {

namespace {

constexpr std::chrono::seconds connect_limit(5);
constexpr std::chrono::seconds silence_limit(10);

class Stream : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  explicit Stream(const Options& options) : requests_(options), answers_(options) {}

  void start(grpc::GenericStub& stub) {
    stub.PrepareBidiStreamingCall(&context_, method, {}, this);
    StartRead(&answer_);
    send_next();
    StartCall();
  }

  void OnWriteDone(bool is_sent) override {
    if (is_sent) send_next();
  }

  void OnReadDone(bool is_answer) override {
    if (!is_answer) return;
    is_checking_ = true;
    const std::string problem = answers_.take(answer_);
    is_checking_ = false;
    if (!problem.empty()) return stop(problem);
    ++answered_;
    StartRead(&answer_);
  }

  void OnDone(const grpc::Status& status) override {
    const std::lock_guard lock(mutex_);
    status_ = status;
    is_done_ = true;
    changed_.notify_all();
  }

  /// Ends the stream; the first reason given is the one reported.
  void stop(const std::string& problem) {
    const std::lock_guard lock(mutex_);
    if (problem_.empty()) problem_ = problem;
    context_.TryCancel();
  }

  /// Whether the stream has ended within a second.
  bool ends_soon() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(1), [this] { return is_done_; });
  }

  [[nodiscard]] std::uint64_t answered() const { return answered_; }

  /// Whether an answer has come that is being checked.
  [[nodiscard]] bool is_checking() const { return is_checking_; }

  /// How it ended, once it has: what is wrong, or an empty text.
  [[nodiscard]] std::string problem() const {
    if (!problem_.empty() || status_.ok()) return problem_;
    return "the stream ended: " + status_.error_message();
  }

 private:
  void send_next() {
    auto message = requests_.next();
    if (!message) return StartWritesDone();
    request_.Swap(&*message);
    StartWrite(&request_);
  }

  grpc::ClientContext context_;
  Requests requests_;  // only ever used by one write after the other
  grpc::ByteBuffer request_;
  Answers answers_;  // only ever used by one read after the other
  grpc::ByteBuffer answer_;
  std::atomic<std::uint64_t> answered_ = 0;
  std::atomic<bool> is_checking_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string problem_;
  grpc::Status status_;
  bool is_done_ = false;
};

std::shared_ptr<grpc::Channel> connect(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(static_cast<int>(max_message_size));
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);  // the address given is the one that is called
  auto channel = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + connect_limit)) {
    throw std::runtime_error("can't reach " + address +
                             " within 5 s: does grpc_stream --listen "
                             "run there, on that port, and does no firewall stop this?");
  }
  return channel;
}

/// Waits for the end, tells of progress, and ends a stream on which nothing comes any more.
void watch(Stream& stream, std::uint64_t all) {
  std::uint64_t before = 0;
  auto last_answer = std::chrono::steady_clock::now();
  while (!stream.ends_soon()) {
    const std::uint64_t now = stream.answered();
    if (now != before || stream.is_checking()) last_answer = std::chrono::steady_clock::now();
    before = now;
    std::fprintf(stderr, "%llu of %llu answers\n", static_cast<unsigned long long>(now),
                 static_cast<unsigned long long>(all));
    if (std::chrono::steady_clock::now() - last_answer > silence_limit) {
      stream.stop("it sent nothing for 10 s");
    }
  }
}

}  // namespace

void call(const Options& options) {
  grpc::GenericStub stub(connect(options.connect));
  std::printf("connected to %s\n", options.connect.c_str());
  std::fflush(stdout);
  Stream stream(options);
  stream.start(stub);
  const std::uint64_t all = options.passes * (options.messages + 1);
  watch(stream, all);
  std::string problem = stream.problem();
  if (problem.empty() && stream.answered() != all) problem = "the stream ended early";
  if (!problem.empty()) {
    throw std::runtime_error("server " + options.connect + ", after " +
                             std::to_string(stream.answered()) + " of " + std::to_string(all) +
                             " answers: " + problem);
  }
  std::printf("PASS: %zu passes at once, %zu gradients and %zu weight gradients are right\n",
              options.passes, options.passes * options.messages, options.passes);
}

}  // namespace grpc_stream
