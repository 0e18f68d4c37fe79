// SPDX-License-Identifier: Apache-2.0
// Rows of gradtail's readers.
#include "buffer.hpp"
#include "gradtail_way.hpp"

namespace bench {
namespace {

using Segments = std::array<std::span<const std::byte>, 2>;

struct OpenSegments {
  template <class Use>
  static bool read(const Segments& message, Use use) {
    gradtail::TrailerScratch scratch;
    const auto opened = gradtail::open(message, scratch);
    if (!opened) return false;
    use(scalars_of(opened->metadata()), *opened->payload().begin());
    return true;
  }
};

/// Messages of two segments, the second one with the last `second_size` bytes.
template <std::size_t second_size>
void segments_row(benchmark::State& state) {
  Gradtail<> gradtail;
  OpenSegments way;
  Ring ring;
  if (!fill(gradtail, ring)) return state.SkipWithError("what it wrote doesn't read back");
  std::array<Segments, ring_size> messages;
  for (std::size_t i = 0; i < ring_size; ++i) {
    const auto message = ring.message(i);
    messages[i] = {message.first(message.size() - second_size), message.last(second_size)};
  }
  read_messages(state, way, [&](std::size_t i) -> const Segments& { return messages[i]; });
}

struct Strip {
  template <class Use>
  static bool read(Buffer& message, Use use) {
    gradtail::TrailerScratch scratch;
    const auto taken = gradtail::strip(message, scratch);
    if (!taken) return false;
    use(scalars_of(taken->metadata()), std::span<const std::byte>(message.begin(), message.end()));
    message.restore();
    return true;
  }
};

void strip_row(benchmark::State& state) {
  Gradtail<> gradtail;
  Strip way;
  Ring ring;
  if (!fill(gradtail, ring)) return state.SkipWithError("what it wrote doesn't read back");
  std::array<Buffer, ring_size> messages;
  for (std::size_t i = 0; i < ring_size; ++i) messages[i] = Buffer(ring.writable(i));
  read_messages(state, way, [&](std::size_t i) -> Buffer& { return messages[i]; });
}

BENCHMARK(read_row<Gradtail<>>)->Name("read/open");
BENCHMARK(read_row<Gradtail<>, 1>)->Name("read/open, misaligned");
BENCHMARK(segments_row<64>)->Name("read/open, 2 segments");
BENCHMARK(segments_row<24>)->Name("read/open, 2 segments, straddling");
BENCHMARK(strip_row)->Name("read/strip");
BENCHMARK(read_row<Gradtail<8>>)->Name("read/open, 8 pairs");
BENCHMARK(read_row<Gradtail<128>>)->Name("read/open, 128 pairs");

}  // namespace
}  // namespace bench
