// SPDX-License-Identifier: Apache-2.0
// Runs rows for what can be counted: allocations by itself, instructions under callgrind.
//
//     probe                 prints a line for each row: its allocations, a tab, its name
//     probe NAME COUNT      runs that row COUNT times
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <optional>

#include "floor_way.hpp"
#include "gradtail_rows.hpp"

namespace {

std::atomic<std::size_t> allocations = 0;

}  // namespace

// All other forms of the standard library's come down to these.
void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  ++allocations;
  const auto unit = static_cast<std::size_t>(alignment);
  if (void* memory = std::aligned_alloc(unit, (size + unit) / unit * unit)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace bench {
namespace {

/// Runs a row, once ready, and returns how often it allocated; nothing where it failed.
template <class Row>
std::optional<std::size_t> repeat(std::size_t count) {
  Row row;
  if (!row.ready()) return {};
  benchmark::DoNotOptimize(&row);
  const std::size_t before = allocations;
  for (std::size_t n = 0; n < count; ++n) {
    if (!row.run(n % ring_size)) return {};
    benchmark::ClobberMemory();
  }
  return allocations - before;
}

struct Entry {
  const char* name;
  std::optional<std::size_t> (*run)(std::size_t count);
};

constexpr Entry entries[] = {
    {"loop", repeat<NothingRow>},
    {"write/floor", repeat<WriteRow<Floor>>},
    {"write/struct", repeat<WriteRow<Struct>>},
    {"write/write_trailer", repeat<WriteRow<Gradtail<>>>},
    {"write/Trailer", repeat<TrailerRow>},
    {"write/append", repeat<AppendRow>},
    {"write/write_trailer, 8 pairs", repeat<WriteRow<Gradtail<8>>>},
    {"write/write_trailer, 128 pairs", repeat<WriteRow<Gradtail<128>>>},
    {"read/floor", repeat<ReadRow<Floor>>},
    {"read/struct", repeat<ReadRow<Struct>>},
    {"read/open", repeat<ReadRow<Gradtail<>>>},
    {"read/open, misaligned", repeat<ReadRow<Gradtail<>, 1>>},
    {"read/open, 2 segments", repeat<SegmentsRow<64>>},
    {"read/open, 2 segments, straddling", repeat<SegmentsRow<24>>},
    {"read/strip", repeat<StripRow>},
    {"read/open, 8 pairs", repeat<ReadRow<Gradtail<8>>>},
    {"read/open, 128 pairs", repeat<ReadRow<Gradtail<128>>>},
};

/// Whether operator new is counted at all: a vector that grows has to show.
bool counts() {
  const std::size_t before = allocations;
  std::vector<char> grows;
  for (char i = 0; i < 9; ++i) grows.push_back(i);
  benchmark::DoNotOptimize(grows.data());
  return allocations - before == 5;
}

int print_allocations() {
  if (!counts()) return EXIT_FAILURE;
  for (const Entry& entry : entries) {
    const auto made = entry.run(1000);
    if (!made) return EXIT_FAILURE;
    std::printf("%zu\t%s\n", *made, entry.name);
  }
  return EXIT_SUCCESS;
}

int run_one(const char* name, std::size_t count) {
  for (const Entry& entry : entries) {
    if (std::strcmp(entry.name, name) != 0) continue;
    return entry.run(count) ? EXIT_SUCCESS : EXIT_FAILURE;
  }
  std::fprintf(stderr, "probe: there is no row '%s'\n", name);
  return EXIT_FAILURE;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  if (argc == 1) return bench::print_allocations();
  if (argc == 3) return bench::run_one(argv[1], std::strtoull(argv[2], nullptr, 10));
  std::fputs("usage: probe [NAME COUNT]\n", stderr);
  return EXIT_FAILURE;
}
