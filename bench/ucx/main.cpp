// SPDX-License-Identifier: Apache-2.0
// What a trailer costs as the header of UCX active messages: requests between two processes with no
// header, with plain bytes or with a trailer.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>
#include <iterator>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "end.hpp"
#include "two_processes.hpp"

namespace ucx_latency {
namespace {

constexpr const char* names[header_count] = {"none", "64 plain bytes", "gradtail"};
constexpr std::size_t payload_sizes[] = {64, largest_payload};
constexpr std::size_t warm_up = 500;

/// What both processes know.
struct Run {
  const char* transport;
  std::size_t rounds;
  std::array<int, 2> sockets;  ///< on which they meet
};

/// Answers each request by a message like it.
void serve(const Run& run, const two_processes::Ready& ready) {
  close(run.sockets[1]);
  ready(0);
  End end(run.transport, run.sockets[0]);
  const std::size_t requests = std::size(payload_sizes) * (warm_up + run.rounds) * header_count;
  for (std::size_t i = 0; i < requests; ++i) {
    end.send(end.receive());
    end.finish_send();
  }
  end.close();
}

/// The us from before the header is made until the response's payload is there.
double measure(End& end, Message request) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  end.send(request);
  const Message response = end.receive();
  const std::chrono::duration<double, std::micro> latency = Clock::now() - start;
  if (response != request) throw std::runtime_error("the response is not like the request");
  end.finish_send();
  return latency.count();
}

/// The us of each round, by header.
using Latencies = std::array<std::vector<double>, header_count>;

/// Each round sends one request of each kind, in random order.
Latencies run_rounds(End& end, std::size_t payload_size, std::size_t rounds) {
  std::mt19937 random;  // NOLINT: the same orders in each run
  Latencies latencies;
  std::array<Header, header_count> order{none, plain, trailer};
  for (std::size_t round = 0; round < warm_up + rounds; ++round) {
    std::ranges::shuffle(order, random);
    for (const Header header : order) {
      const double latency = measure(end, {header, payload_size});
      if (round >= warm_up) latencies.at(header).push_back(latency);
    }
    if (round % 500 == 499) {
      std::fprintf(stderr, "\r==> payloads of %zu bytes: %zu of %zu rounds ", payload_size,
                   round + 1, warm_up + rounds);
    }
  }
  std::fputs("\n", stderr);
  return latencies;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

/// The median difference in a round and its 95 % confidence interval, by the order of the
/// differences alone.
std::string more(const std::vector<double>& values, const std::vector<double>& base) {
  std::vector<double> sorted;
  std::ranges::transform(values, base, std::back_inserter(sorted), std::minus());
  std::ranges::sort(sorted);
  const std::size_t middle = sorted.size() / 2;
  const auto reach = static_cast<std::size_t>(std::lround(0.98 * std::sqrt(sorted.size())));
  std::array<char, 80> text{};
  std::snprintf(text.data(), text.size(), "%+.2f us (%+.2f to %+.2f)", sorted[middle],
                sorted[middle - std::min(reach, middle)],
                sorted[std::min(middle + reach, sorted.size() - 1)]);
  return text.data();
}

void print(const char* transport, std::size_t payload_size, const Latencies& latencies) {
  for (unsigned header = none; header < header_count; ++header) {
    const std::vector<double>& values = latencies.at(header);
    std::printf("| %-9s | %7zu | %-14s | %7.1f us | %28s | %28s |\n", transport, payload_size,
                names[header], median(values),
                header == none ? "" : more(values, latencies[none]).c_str(),
                header == trailer ? more(values, latencies[plain]).c_str() : "");
  }
}

void call(const Run& run, std::uint16_t /*port*/) {
  close(run.sockets[0]);
  End end(run.transport, run.sockets[1]);
  std::puts(
      "| transport | payload | header         |     median |        more than none (95 %) |"
      " more than plain bytes (95 %) |\n"
      "| --------- | ------: | -------------- | ---------: | ---------------------------: |"
      " ---------------------------: |");
  for (const std::size_t size : payload_sizes) {
    print(run.transport, size, run_rounds(end, size, run.rounds));
    std::fflush(stdout);
  }
  end.close();
}

constexpr const char* help = R"(Usage: ucx_latency TRANSPORT [ROUNDS]

Two processes on this machine exchange UCX active messages over TRANSPORT, one of UCX's names: tcp,
shm. Each round sends one request with no header, one with 64 plain bytes as the header and one with
a gradtail trailer, in random order, and each is answered by a message like it: ROUNDS rounds
(20000) with payloads of 64 bytes, and as many with 64 KiB. The trailer is made, sent, opened and
checked in both directions.

Prints rows of a Markdown table: the median time from before the header is made until the response's
payload is there, and the median difference from the other requests of the same round with its 95 %
confidence interval. Both processes poll, so two idle CPUs are needed for good times.
)";

/// 0 if it isn't a number above 0.
std::size_t rounds_of(std::string_view text) {
  std::size_t rounds = 0;
  const char* end = text.data() + text.size();
  return std::from_chars(text.data(), end, rounds).ptr == end ? rounds : 0;
}

}  // namespace
}  // namespace ucx_latency

int main(int argc, char** argv) {
  using namespace ucx_latency;
  if (argc == 2 && std::string_view(argv[1]) == "--help") {
    std::fputs(help, stdout);
    return 0;
  }
  const std::size_t rounds = argc == 2 ? 20'000 : argc == 3 ? rounds_of(argv[2]) : 0;
  if (rounds == 0 || argv[1][0] == '-') {
    std::fputs(
        "ucx_latency takes a transport, tcp or shm, and a number of rounds above 0; or --help\n",
        stderr);
    return 2;
  }
  Run run{argv[1], rounds, {}};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, run.sockets.data()) != 0) {
    std::perror("ucx_latency: no sockets for the processes to meet on");
    return 1;
  }
  return two_processes::run("ucx_latency", std::bind_front(serve, run), std::bind_front(call, run),
                            3600);
}
