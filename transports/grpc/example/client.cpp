// SPDX-License-Identifier: Apache-2.0
// Sends and receives at the same time: if it sent everything first, both ends would wait for the
// other to read. Answers are found by their ids alone.
#include <grpcpp/generic/generic_stub.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <numeric>
#include <optional>
#include <random>

#include "ends.hpp"
#include "job.hpp"
#include "message.hpp"
#include "program.hpp"

namespace grpc_stream {

namespace {

using support::text;

constexpr std::chrono::seconds connect_limit(5);
constexpr std::chrono::seconds silence_limit(10);

/// Messages of all passes, interleaved: each round has one of every pass, in an order of its own.
/// The last round is of the ends of all passes. A pass's counter is its number, that of its message
/// in round r is pass * messages + r.
class Requests {
 public:
  explicit Requests(const Options& options) : options_(options), order_(options.passes) {
    std::iota(order_.begin(), order_.end(), 0U);
  }

  /// The next message; none when all are sent.
  std::optional<grpc::ByteBuffer> next() {
    const std::uint64_t round = sent_ / order_.size();
    const std::size_t place = sent_++ % order_.size();
    if (round > options_.messages) return std::nullopt;
    if (place == 0) std::shuffle(order_.begin(), order_.end(), std::mt19937_64(round));
    const std::uint64_t pass = order_[place];
    gradtail::AutogradMetadata metadata{.context_id = id(pass), .from_worker_id = options_.worker};
    if (round == options_.messages) return pack(grpc::Slice(), Type::end_of_pass, metadata);
    const std::uint64_t number = pass * options_.messages + round;
    metadata.message_id = id(number);
    return pack(make_values(number, options_.floats), Type::activations, metadata);
  }

 private:
  [[nodiscard]] std::int64_t id(std::uint64_t counter) const {
    return gradtail::compose_id(options_.worker, counter).value();
  }

  const Options& options_;
  std::vector<std::uint64_t> order_;
  std::uint64_t sent_ = 0;
};

/// Which answers have come, and whether they are right.
class Answers {
 public:
  explicit Answers(const Options& options)
      : options_(options),
        have_gradients_(options.passes * options.messages),
        have_ended_(options.passes) {}

  /// Returns what is wrong with the answer, or an empty text.
  std::string take(const grpc::ByteBuffer& message) {
    std::string problem = received_.take(message);
    if (!problem.empty()) return problem;
    if (received_.type() == Type::refused) {
      return "it refused a message: " + received_.payload<std::string>();
    }
    problem = check();
    return problem.empty() ? "" : text(problem, ": ", to_string(received_.metadata()));
  }

 private:
  /// The counter of an id of this client's, or a number above all others.
  [[nodiscard]] std::uint64_t counter_of(std::int64_t id) const {
    return gradtail::id_worker(id) == options_.worker ? gradtail::id_counter(id) : UINT64_MAX;
  }

  std::string check() {
    const auto& metadata = received_.metadata();
    if (metadata.from_worker_id != 0) return "its from_worker_id isn't 0";
    const std::uint64_t pass = counter_of(metadata.context_id);
    if (pass >= options_.passes) return "no such pass";
    if (received_.type() == Type::gradients) return check_gradients(pass);
    if (received_.type() == Type::weight_gradients) return check_weight_gradients(pass);
    return "no such answer";
  }

  std::string check_gradients(std::uint64_t pass) {
    const std::uint64_t number = counter_of(received_.metadata().message_id);
    if (number >= have_gradients_.size() || have_gradients_[number] ||
        number / options_.messages != pass) {
      return "gradients that are not due";
    }
    have_gradients_[number] = true;
    const Floats expected = gradients(make_values(number, options_.floats));
    return agree(received_.payload<Floats>(), expected) ? "" : "wrong gradients";
  }

  std::string check_weight_gradients(std::uint64_t pass) {
    if (have_ended_[pass]) return "weight gradients twice";
    have_ended_[pass] = true;
    std::vector<double> sums(options_.floats);
    for (std::uint64_t r = 0; r < options_.messages; ++r) {
      add_weight_gradients(sums, make_values(pass * options_.messages + r, options_.floats));
    }
    return agree(received_.payload<Floats>(), rounded(sums)) ? "" : "wrong weight gradients";
  }

  const Options& options_;
  Received received_;
  std::vector<bool> have_gradients_;  // of each message
  std::vector<bool> have_ended_;      // each pass
};

class Stream : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  Stream(const Options& options, grpc::GenericStub& stub) : requests_(options), answers_(options) {
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
    if (problem_.empty() && !status.ok()) problem_ = "the stream ended: " + status.error_message();
    is_done_ = true;
    changed_.notify_all();
  }

  /// Waits for the end, reports progress, and ends a stream on which nothing comes any more.
  /// Returns what is wrong, or an empty text.
  std::string finish(std::uint64_t all) {
    std::uint64_t before = 0;
    auto last_answer = std::chrono::steady_clock::now();
    while (!ends_soon()) {
      const std::uint64_t now = answered_;
      if (now != before || is_checking_) last_answer = std::chrono::steady_clock::now();
      before = now;
      std::fputs(text(now, " of ", all, " answers\n").c_str(), stderr);
      if (std::chrono::steady_clock::now() - last_answer > silence_limit) {
        stop("it sent nothing for 10 s");
      }
    }
    return problem_.empty() && answered_ != all ? "the stream ended early" : problem_;
  }

  [[nodiscard]] std::uint64_t answered() const { return answered_; }

 private:
  void send_next() {
    auto message = requests_.next();
    if (!message) return StartWritesDone();
    request_.Swap(&*message);
    StartWrite(&request_);
  }

  /// Ends the stream; the first reason given is the one reported.
  void stop(const std::string& problem) {
    const std::lock_guard lock(mutex_);
    if (problem_.empty()) problem_ = problem;
    context_.TryCancel();
  }

  bool ends_soon() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(1), [this] { return is_done_; });
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
  bool is_done_ = false;
};

std::shared_ptr<grpc::Channel> connect(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(static_cast<int>(max_message_size));
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);  // the address given is the one that is called
  auto channel = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  if (channel->WaitForConnected(std::chrono::system_clock::now() + connect_limit)) return channel;
  throw std::runtime_error(text("can't reach ", address,
                                " within 5 s: does grpc_stream --listen run there, on that port, "
                                "and does no firewall stop this?"));
}

}  // namespace

void call(const Options& options) {
  grpc::GenericStub stub(connect(options.address));
  support::say("connected to " + options.address);
  Stream stream(options, stub);
  const std::uint64_t all = options.passes * (options.messages + 1);
  const std::string problem = stream.finish(all);
  if (!problem.empty()) {
    throw std::runtime_error(text("server ", options.address, ", after ", stream.answered(), " of ",
                                  all, " answers: ", problem));
  }
  support::say(text("PASS: ", options.passes, " passes at once, ",
                    options.passes * options.messages, " gradients and ", options.passes,
                    " weight gradients are right"));
}

}  // namespace grpc_stream
