// SPDX-License-Identifier: Apache-2.0
// Rows without any format: the loop by itself, a struct that nobody checks, and the floor.
#include <cstring>

#include "floor.hpp"
#include "rows.hpp"

namespace bench {
namespace {

/// What the loop itself costs, in every row.
struct Nothing {
  static std::size_t write(std::span<std::byte>, const Scalars& scalars, std::uint64_t) {
    consume(scalars, {});
    return 1;
  }
  template <class Use>
  static bool read(std::span<const std::byte> message, Use use) {
    use(sent[0], message);
    return true;
  }
};

void empty_write(benchmark::State& state) {
  Ring ring;
  std::size_t i = 0;
  for (auto _ : state) {
    std::size_t size = Nothing::write(ring.room(i), sent[i], usual_payload);
    benchmark::DoNotOptimize(size);
    benchmark::ClobberMemory();
    i = (i + 1) % ring_size;
  }
}

void empty_read(benchmark::State& state) {
  Nothing nothing;
  Ring ring;
  for (std::size_t i = 0; i < ring_size; ++i) ring.finish(i, 0);
  read_messages(state, nothing, [&](std::size_t i) { return ring.message(i); });
}

/// memcpy of the struct, and the trust that it is one.
struct Struct {
  static std::size_t write(std::span<std::byte> room, const Scalars& scalars, std::uint64_t) {
    std::memcpy(room.data(), &scalars, sizeof scalars);
    return sizeof scalars;
  }
  template <class Use>
  static bool read(std::span<const std::byte> message, Use use) {
    Scalars scalars;
    const std::size_t size = message.size() - sizeof scalars;
    std::memcpy(&scalars, message.data() + size, sizeof scalars);
    use(scalars, message.first(size));
    return true;
  }
};

struct Floor {
  static std::size_t write(std::span<std::byte> room, const Scalars& scalars,
                           std::uint64_t payload) {
    floor_write(room.data(), scalars, payload);
    return floor_size;
  }
  template <class Use>
  static bool read(std::span<const std::byte> message, Use use) {
    Scalars scalars;
    if (!floor_read(message, scalars)) return false;
    use(scalars, message.first(message.size() - floor_size));
    return true;
  }
};

BENCHMARK(empty_write)->Name("write/loop");
BENCHMARK(empty_read)->Name("read/loop");
BENCHMARK(write_row<Struct>)->Name("write/struct");
BENCHMARK(read_row<Struct>)->Name("read/struct");
BENCHMARK(write_row<Floor>)->Name("write/floor");
BENCHMARK(read_row<Floor>)->Name("read/floor");

}  // namespace
}  // namespace bench
