// SPDX-License-Identifier: Apache-2.0
// What metadata costs from end to end: requests between two processes by TensorPipeAgent, with no
// metadata, zeros, a trailer or PyTorch's pickled tuple.
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <random>
#include <stdexcept>
#include <string_view>

#include "agent.hpp"
#include "two_processes.hpp"
#include "variants.hpp"

namespace end_to_end {
namespace {

constexpr std::size_t payload_sizes[] = {std::size_t{1} << 10, std::size_t{1} << 20};
constexpr std::size_t response_size = 64;
constexpr std::size_t warm_up = 300;

/// Request and response carry the same. Both processes know it.
constexpr gradtail::AutogradMetadata metadata{.context_id = (std::int64_t{1} << 48) + 5,
                                              .message_id = (std::int64_t{1} << 48) + 9,
                                              .from_worker_id = 1,
                                              .wrapped_message_type = 0x100};

/// A new payload, as a caller's serialization would make it, with metadata. Its first byte is the
/// number of the variant.
std::vector<char> make_payload(std::size_t variant, std::size_t size) {
  std::vector<char> payload;
  payload.reserve(size + variants()[variant].tailroom);
  payload.resize(size, 'x');
  payload[0] = static_cast<char>(variant);
  variants()[variant].append(payload, metadata);
  return payload;
}

/// The server's part.
std::vector<char> respond(const torch::distributed::rpc::Message& request) {
  const auto variant = static_cast<std::size_t>(request.payload().at(0));
  if (variant >= variants().size()) throw std::runtime_error("a request of an unknown variant");
  const std::size_t size = variants()[variant].read(request, metadata);
  if (std::ranges::count(payload_sizes, size) != 1) throw std::runtime_error("another payload");
  return make_payload(variant, response_size);
}

/// CPU time of one of the processes, all of its threads, in ns.
std::int64_t cpu_time(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
}

/// What one request took, in ns.
struct Sample {
  std::int64_t latency, caller_cpu, server_cpu;
};

Sample measure(Caller& caller, clockid_t server, std::size_t variant, std::size_t size) {
  using Clock = std::chrono::steady_clock;
  const std::int64_t server_start = cpu_time(server);
  const std::int64_t caller_start = cpu_time(CLOCK_PROCESS_CPUTIME_ID);
  const Clock::time_point start = Clock::now();
  const auto response = caller.send(make_payload(variant, size));
  if (variants()[variant].read(*response, metadata) != response_size) {
    throw std::runtime_error("another response");
  }
  const auto latency = std::chrono::nanoseconds(Clock::now() - start).count();
  return {latency, cpu_time(CLOCK_PROCESS_CPUTIME_ID) - caller_start,
          cpu_time(server) - server_start};
}

/// One request of each variant, in a random order.
void run_round(Caller& caller, clockid_t server, std::size_t size, std::mt19937& random,
               bool print) {
  std::array<std::size_t, 4> order{0, 1, 2, 3};
  std::ranges::shuffle(order, random);
  std::array<Sample, 4> samples{};
  for (const std::size_t variant : order)
    samples.at(variant) = measure(caller, server, variant, size);
  if (!print) return;
  std::printf("%zu", size);
  for (const Sample& sample : samples) {
    std::printf(" %lld %lld %lld", static_cast<long long>(sample.latency),
                static_cast<long long>(sample.caller_cpu),
                static_cast<long long>(sample.server_cpu));
  }
  std::puts("");
}

void call(std::uint16_t port, std::size_t requests) {
  Caller caller(port);
  clockid_t clock{};
  if (clock_getcpuclockid(caller.server_process(), &clock) != 0)
    throw std::runtime_error("no clock of the server");
  std::mt19937 random;  // NOLINT: the same orders in each run
  for (const std::size_t size : payload_sizes) {
    for (std::size_t i = 0; i < warm_up; ++i) run_round(caller, clock, size, random, false);
    for (std::size_t i = 0; i < requests; ++i) {
      run_round(caller, clock, size, random, true);
      if (i % 1000 == 999) {
        std::fprintf(stderr, "\r==> payloads of %zu bytes: %zu of %zu requests ", size, i + 1,
                     requests);
      }
    }
    std::fputs("\n", stderr);
  }
}

void help() {
  std::puts(R"(Usage: end_to_end [--requests N]

Two processes on this machine exchange requests by libtorch's TensorPipeAgent over TCP. Each round
sends one request with no metadata, one with as many zeros as a trailer has bytes, one with a
gradtail trailer and one with PyTorch's pickled tuple, in random order: N rounds (20000) with
payloads of 1 KiB and as many with 1 MiB. Prints a line for each round: the payload's bytes and, for
each of the four, the ns from making the payload to having read the response, CPU ns of the caller
and CPU ns of the server. tools/bench evaluates them.)");
}

/// 0 if the arguments are wrong.
std::size_t requests_of(int count, char** arguments) {
  if (count == 1) return 20'000;
  if (count != 3 || std::string_view(arguments[1]) != "--requests") return 0;
  const std::string_view text = arguments[2];
  std::size_t requests = 0;
  const auto end = text.data() + text.size();
  return std::from_chars(text.data(), end, requests).ptr == end ? requests : 0;
}

}  // namespace
}  // namespace end_to_end

int main(int count, char** arguments) {
  if (count == 2 && std::string_view(arguments[1]) == "--help") {
    end_to_end::help();
    return 0;
  }
  const std::size_t requests = end_to_end::requests_of(count, arguments);
  if (requests == 0) {
    std::fputs("end_to_end takes --requests and a number above 0, or --help\n", stderr);
    return 2;
  }
  return two_processes::run(
      "end_to_end", [](const auto& ready) { end_to_end::serve(ready, end_to_end::respond); },
      [&](std::uint16_t port) { end_to_end::call(port, requests); }, 3600);
}
