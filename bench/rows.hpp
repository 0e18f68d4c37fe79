// SPDX-License-Identifier: Apache-2.0
// The loops around every row. A row is a Way to write and to read:
//
//     std::size_t write(std::span<std::byte> room, const Scalars&, std::uint64_t payload_size);
//     bool read(std::span<const std::byte> message, use);  // use(Scalars, payload)
//
// `write` puts what it needs into the room behind the payload and returns how much that is, 0 where
// it fails; `read` hands what it found to `use`, or returns false.
#pragma once

#include <benchmark/benchmark.h>

#include "job.hpp"

namespace bench {

/// Fills the ring with what the way writes. False where it doesn't read the same back.
template <class Way>
bool fill(Way& way, Ring& ring) {
  bool same = true;
  for (std::size_t i = 0; i < ring_size; ++i) {
    const std::size_t size = way.write(ring.room(i), sent[i], usual_payload);
    ring.finish(i, size);
    const auto compare = [&](const Scalars& scalars, std::span<const std::byte> payload) {
      same &= scalars == sent[i] && payload.data() == ring.message(i).data() &&
              payload.size() == usual_payload;
    };
    if (size == 0 || !way.read(ring.message(i), compare)) return false;
  }
  return same;
}

template <class Way>
void write_row(benchmark::State& state) {
  Way way;
  Ring ring;
  if (!fill(way, ring)) return state.SkipWithError("what it wrote doesn't read back");
  std::uint64_t payload = usual_payload;
  benchmark::DoNotOptimize(payload);
  std::size_t size = 0;
  std::size_t i = 0;
  for (auto _ : state) {
    size = way.write(ring.room(i), sent[i], payload);
    benchmark::DoNotOptimize(size);
    benchmark::ClobberMemory();
    if (size == 0) return state.SkipWithError("refused");
    i = (i + 1) % ring_size;
  }
  state.counters["wire"] = static_cast<double>(size);
}

/// Goes round the messages that `message_at(i)` gives.
template <class Way, class MessageAt>
void read_messages(benchmark::State& state, Way& way, MessageAt message_at) {
  std::size_t i = 0;
  benchmark::DoNotOptimize(&message_at);
  for (auto _ : state) {
    if (!way.read(message_at(i), consume)) return state.SkipWithError("refused");
    benchmark::ClobberMemory();
    i = (i + 1) % ring_size;
  }
}

template <class Way, std::size_t offset = 0>
void read_row(benchmark::State& state) {
  Way way;
  Ring ring(offset);
  if (!fill(way, ring)) return state.SkipWithError("what it wrote doesn't read back");
  read_messages(state, way, [&](std::size_t i) { return ring.message(i); });
  state.counters["wire"] = static_cast<double>(ring.message(0).size() - usual_payload);
}

}  // namespace bench
