// SPDX-License-Identifier: Apache-2.0
// Rows of gradtail's writers.
#include "gradtail_way.hpp"

namespace bench {
namespace {

/// The trailer as one more segment of a gather write.
void trailer_row(benchmark::State& state) {
  std::uint64_t payload = usual_payload;
  benchmark::DoNotOptimize(payload);
  std::size_t i = 0;
  for (auto _ : state) {
    const auto trailer = gradtail::Trailer::make(metadata_of(sent[i]), payload);
    if (!trailer) return state.SkipWithError("refused");
    benchmark::DoNotOptimize(trailer->bytes().data());
    benchmark::ClobberMemory();
    i = (i + 1) % ring_size;
  }
}

void append_row(benchmark::State& state) {
  std::array<std::vector<std::byte>, ring_size> buffers;
  for (auto& buffer : buffers) {
    buffer.reserve(usual_payload + gradtail::max_trailer_size);
    buffer.resize(usual_payload);
  }
  std::size_t i = 0;
  for (auto _ : state) {
    const auto done = gradtail::append(buffers[i], metadata_of(sent[i]));
    if (!done) return state.SkipWithError("refused");
    benchmark::ClobberMemory();
    buffers[i].resize(usual_payload);
    i = (i + 1) % ring_size;
  }
}

BENCHMARK(write_row<Gradtail<>>)->Name("write/write_trailer");
BENCHMARK(trailer_row)->Name("write/Trailer");
BENCHMARK(append_row)->Name("write/append");
BENCHMARK(write_row<Gradtail<8>>)->Name("write/write_trailer, 8 pairs");
BENCHMARK(write_row<Gradtail<128>>)->Name("write/write_trailer, 128 pairs");

}  // namespace
}  // namespace bench
