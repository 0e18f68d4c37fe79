// SPDX-License-Identifier: Apache-2.0
// What a row is: a class that prepares itself once, then does its job again and again.
//
//     struct Row {
//       bool ready();             // prepares; false if what was written doesn't read back
//       bool run(std::size_t i);  // does the job with message i of the ring; false if it fails
//       std::size_t wire();       // optional: bytes that it adds to a payload
//     };
//
// Most rows are made from a codec:
//
//     std::size_t write(std::span<std::byte> room, const Scalars&, std::uint64_t payload_size);
//     bool read(std::span<const std::byte> message, use);  // calls use(Scalars, payload)
//
// `write` puts its bytes into the room behind the payload and returns how many, or 0 if it fails.
#pragma once

#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "job.hpp"

namespace bench {

/// Calls of operator new so far, counted in main.cpp.
extern std::size_t allocation_count;

/// A row at its place in a page.
template <class Row>
struct alignas(page_size) Placed {
  std::byte before[row_offset];
  Row row;
};

/// The timed loop of every row. All memory counts as changed from one iteration to the next.
template <class Row>
void time_row(benchmark::State& state) {
  const auto placed = std::make_unique<Placed<Row>>();
  Row& row = placed->row;
  if (!row.ready()) return state.SkipWithError("what it wrote doesn't read back");
  benchmark::DoNotOptimize(&row);
  std::size_t i = 0;
  const std::size_t allocations = allocation_count;
  for (auto _ : state) {
    if (!row.run(i)) return state.SkipWithError("not as expected");
    benchmark::ClobberMemory();
    i = (i + 1) % ring_size;
  }
  state.counters["allocations"] = benchmark::Counter(
      static_cast<double>(allocation_count - allocations), benchmark::Counter::kAvgIterations);
  if constexpr (requires { row.wire(); }) state.counters["wire"] = static_cast<double>(row.wire());
}

/// Gets a row ready when `count` is 0, otherwise runs it that often. For callgrind, which counts
/// the instructions of the second call.
template <class Row>
bool count_row(std::size_t count) {
  static const auto placed = std::make_unique<Placed<Row>>();
  Row& row = placed->row;
  bool good = count != 0 || row.ready();
  benchmark::DoNotOptimize(&row);
  for (std::size_t n = 0; n < count; ++n) {
    good &= row.run(n % ring_size);
    benchmark::ClobberMemory();
  }
  return good;
}

struct CountedRow {
  const char* name;
  bool (*run)(std::size_t count);
};

/// All rows of the program.
inline std::vector<CountedRow>& counted_rows() {
  static std::vector<CountedRow> rows;
  return rows;
}

template <class Row>
bool add_row(const char* name) {
  benchmark::RegisterBenchmark(name, time_row<Row>);
  counted_rows().push_back({name, count_row<Row>});
  return true;
}

/// Fills the ring with what the codec writes. False if it doesn't read the same back.
template <class Codec>
bool fill(Codec& codec, Ring& ring) {
  bool same = true;
  for (std::size_t i = 0; i < ring_size; ++i) {
    const std::size_t size = codec.write(ring.room(i), sent[i], usual_payload);
    ring.finish(i, size);
    Scalars expected = sent[i];
    if constexpr (requires { codec.kept(expected); }) expected = codec.kept(expected);
    const auto compare = [&](const Scalars& scalars, std::span<const std::byte> payload) {
      same &= scalars == expected && payload.data() == ring.message(i).data() &&
              payload.size() == usual_payload;
    };
    if (size == 0 || !codec.read(ring.message(i), compare)) return false;
  }
  return same;
}

template <class Codec>
class WriteRow {
 public:
  bool ready() { return fill(codec_, ring_); }
  [[gnu::always_inline]] bool run(std::size_t i) {
    std::size_t size = codec_.write(ring_.room(i), sent[i], payload_size_);
    benchmark::DoNotOptimize(size);
    return size != 0;
  }
  [[nodiscard]] std::size_t wire() const { return ring_.trailer_size(); }

 private:
  Codec codec_;
  Ring ring_;
  std::uint64_t payload_size_ = usual_payload;
};

/// `offset` is that of the messages from a cache line's start.
template <class Codec, std::size_t offset = 0>
class ReadRow {
 public:
  bool ready() { return fill(codec_, ring_); }
  [[gnu::always_inline]] bool run(std::size_t i) { return codec_.read(ring_.message(i), consume); }
  [[nodiscard]] std::size_t wire() const { return ring_.trailer_size(); }

 private:
  Codec codec_;
  Ring ring_{offset};
};

/// Appends to vectors that have room. `append(vector, scalars)` returns whether it succeeded.
template <auto append>
class AppendRow {
 public:
  bool ready() {
    for (auto& buffer : buffers_) {
      buffer.reserve(2 * usual_payload);
      buffer.resize(usual_payload);
    }
    return true;
  }
  [[gnu::always_inline]] bool run(std::size_t i) {
    const bool done = append(buffers_[i], sent[i]);
    benchmark::ClobberMemory();
    buffers_[i].resize(usual_payload);
    return done;
  }

 private:
  std::array<std::vector<std::byte>, ring_size> buffers_;
};

/// Copies the payload to a new vector without any room to spare, and appends to that.
template <auto append>
class GrowingAppendRow {
 public:
  static bool ready() { return true; }
  [[gnu::always_inline]] bool run(std::size_t i) {
    std::vector<std::byte> buffer(payload_);
    const bool done = append(buffer, sent[i]);
    benchmark::DoNotOptimize(buffer.data());
    return done;
  }

 private:
  std::vector<std::byte> payload_ = std::vector<std::byte>(usual_payload);
};

}  // namespace bench
