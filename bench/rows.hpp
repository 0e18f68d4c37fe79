// SPDX-License-Identifier: Apache-2.0
// What every row is: a class that gets ready, and then does its job again and again.
//
//     struct Row {
//       bool ready();             // everything is there, and what was written reads back
//       bool run(std::size_t i);  // does the job with message i of the ring; false where it fails
//       std::size_t wire();       // bytes that it puts behind a payload; 0 where that says nothing
//     };
//
// Most rows are made of a Way to write and to read:
//
//     std::size_t write(std::span<std::byte> room, const Scalars&, std::uint64_t payload_size);
//     bool read(std::span<const std::byte> message, use);  // use(Scalars, payload)
//
// `write` puts what it needs into the room behind the payload and returns how much that is, 0 where
// it fails; `read` hands what it found to `use`, or returns false.
#pragma once

#include <benchmark/benchmark.h>

#include <memory>

#include "job.hpp"

namespace bench {

/// A row at its place in a page.
template <class Row>
struct alignas(page_size) Placed {
  std::byte before[row_offset];
  Row row;
};

/// The loop around every row. All memory counts as changed from one iteration to the next.
template <class Row>
void time_row(benchmark::State& state) {
  const auto placed = std::make_unique<Placed<Row>>();
  Row& row = placed->row;
  if (!row.ready()) return state.SkipWithError("what it wrote doesn't read back");
  benchmark::DoNotOptimize(&row);
  std::size_t i = 0;
  for (auto _ : state) {
    if (!row.run(i)) return state.SkipWithError("not as expected");
    benchmark::ClobberMemory();
    i = (i + 1) % ring_size;
  }
  if (row.wire() != 0) state.counters["wire"] = static_cast<double>(row.wire());
}

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
class WriteRow {
 public:
  bool ready() { return fill(way_, ring_); }
  [[gnu::always_inline]] bool run(std::size_t i) {
    std::size_t size = way_.write(ring_.room(i), sent[i], payload_size_);
    benchmark::DoNotOptimize(size);
    return size != 0;
  }
  [[nodiscard]] std::size_t wire() const { return ring_.trailer_size(); }

 private:
  Way way_;
  Ring ring_;
  std::uint64_t payload_size_ = usual_payload;
};

/// `offset` is that of the messages from a cache line's start.
template <class Way, std::size_t offset = 0>
class ReadRow {
 public:
  bool ready() { return fill(way_, ring_); }
  [[gnu::always_inline]] bool run(std::size_t i) { return way_.read(ring_.message(i), consume); }
  [[nodiscard]] std::size_t wire() const { return ring_.trailer_size(); }

 private:
  Way way_;
  Ring ring_{offset};
};

}  // namespace bench
