// SPDX-License-Identifier: Apache-2.0
// What metadata costs from end to end: requests between two processes by TensorPipeAgent over TCP,
// with no metadata, zeros, a trailer or PyTorch's pickled tuple. Both directions carry the same.
//
//     end_to_end ROUNDS
//
// Prints, for each request, the ns from making the payload to having read the response, and the CPU
// ns of the caller and of the server.
#include <time.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <stdexcept>

#include "../pickled_tuple.hpp"
#include "../rounds.hpp"
#include "agent.hpp"
#include "gradtail/torch.hpp"
#include "two_processes.hpp"

namespace end_to_end {
namespace {

using gradtail::AutogradMetadata;

/// A way of sending metadata along with a message, in both directions.
struct Variant {
  /// Bytes that the sender has reserved behind the payload.
  std::size_t tailroom;
  /// Puts the metadata behind the payload.
  void (*append)(std::vector<char>& payload, const AutogradMetadata& metadata);
  /// Takes the metadata off a message as the agent hands it over and returns the payload's size.
  /// Throws unless the metadata is the expected.
  std::size_t (*read)(const rpc::Message& message, const AutogradMetadata& expected);
};

void check(bool equal) {
  if (!equal) throw std::runtime_error("other metadata came than was sent");
}

void append_nothing(std::vector<char>& /*payload*/, const AutogradMetadata& /*metadata*/) {}

std::size_t read_nothing(const rpc::Message& message, const AutogradMetadata& /*expected*/) {
  return message.payload().size();
}

/// What the trailer's bytes cost by themselves: more to send, and larger blocks of memory.
void append_zeros(std::vector<char>& payload, const AutogradMetadata& metadata) {
  payload.resize(payload.size() + gradtail::trailer_size(metadata));
}

std::size_t read_zeros(const rpc::Message& message, const AutogradMetadata& expected) {
  return message.payload().size() - gradtail::trailer_size(expected);
}

void append_trailer(std::vector<char>& payload, const AutogradMetadata& metadata) {
  check(gradtail::append(payload, metadata).has_value());
}

std::size_t read_trailer(const rpc::Message& message, const AutogradMetadata& expected) {
  const auto view = gradtail::open(message);
  check(view && view->metadata() == expected);
  return view->payload().size();
}

/// What RpcWithAutograd::fromMessage does: it copies the payload, as the message is const.
std::size_t read_tuple(const rpc::Message& message, const AutogradMetadata& expected) {
  std::vector<char> payload = message.payload();
  const std::vector<at::IValue> values = rpc::readWrappedPayload(payload, message);
  check(values.size() == 5 && values[0].toInt() == expected.wrapped_message_type &&
        values[1].toInt() == expected.context_id && values[2].toInt() == expected.message_id &&
        values[3].toInt() == expected.from_worker_id &&
        values[4].to<c10::Dict<std::string, std::string>>().empty());
  return payload.size();
}

/// No metadata, none and as many bytes more as a trailer has, the trailer, PyTorch's pickled tuple.
constexpr Variant variants[] = {
    {0, append_nothing, read_nothing},
    {gradtail::max_trailer_size, append_zeros, read_zeros},
    {gradtail::max_trailer_size, append_trailer, read_trailer},
    {0, bench::append_tuple<AutogradMetadata>, read_tuple},
};

constexpr std::size_t payload_sizes[] = {std::size_t{1} << 10, std::size_t{1} << 20};
constexpr std::size_t response_size = 64;

/// Request and response carry the same. Both processes know it.
constexpr AutogradMetadata metadata{.context_id = (std::int64_t{1} << 48) + 5,
                                    .message_id = (std::int64_t{1} << 48) + 9,
                                    .from_worker_id = 1,
                                    .wrapped_message_type = 0x100};

/// A new payload, as a caller's serialization would make it, with metadata. Its first byte is the
/// number of the variant.
std::vector<char> make_payload(std::size_t variant, std::size_t size) {
  std::vector<char> payload;
  payload.reserve(size + variants[variant].tailroom);
  payload.resize(size, 'x');
  payload[0] = static_cast<char>(variant);
  variants[variant].append(payload, metadata);
  return payload;
}

/// The server's part.
std::vector<char> respond(const rpc::Message& request) {
  const auto variant = static_cast<std::size_t>(request.payload().at(0));
  if (variant >= std::size(variants)) throw std::runtime_error("a request of an unknown variant");
  const std::size_t size = variants[variant].read(request, metadata);
  if (std::ranges::count(payload_sizes, size) != 1) throw std::runtime_error("another payload");
  return make_payload(variant, response_size);
}

/// CPU time of one of the processes, all of its threads, in ns.
std::int64_t cpu_time(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
}

std::array<std::int64_t, 3> measure(Caller& caller, clockid_t server, std::size_t variant,
                                    std::size_t size) {
  using Clock = std::chrono::steady_clock;
  const std::int64_t server_start = cpu_time(server);
  const std::int64_t caller_start = cpu_time(CLOCK_PROCESS_CPUTIME_ID);
  const Clock::time_point start = Clock::now();
  const auto response = caller.send(make_payload(variant, size));
  if (variants[variant].read(*response, metadata) != response_size) {
    throw std::runtime_error("another response");
  }
  const auto latency = std::chrono::nanoseconds(Clock::now() - start).count();
  return {latency, cpu_time(CLOCK_PROCESS_CPUTIME_ID) - caller_start,
          cpu_time(server) - server_start};
}

void call(std::uint16_t port, std::size_t count) {
  Caller caller(port);
  clockid_t clock{};
  if (clock_getcpuclockid(caller.server_process(), &clock) != 0) {
    throw std::runtime_error("no clock of the server");
  }
  for (const std::size_t size : payload_sizes) {
    rounds::run<std::size(variants)>(
        size, count, [&](std::size_t variant) { return measure(caller, clock, variant, size); });
  }
}

}  // namespace
}  // namespace end_to_end

int main(int argc, char** argv) {
  const std::size_t count = argc == 2 ? rounds::parse(argv[1]) : 0;
  if (count == 0) {
    std::fprintf(stderr, "usage: %s ROUNDS\n", argv[0]);
    return 2;
  }
  return two_processes::run(
      "end_to_end", [](const auto& ready) { end_to_end::serve(ready, end_to_end::respond); },
      [&](std::uint16_t port) { end_to_end::call(port, count); }, 3600);
}
