// SPDX-License-Identifier: Apache-2.0
// The main function of the programs that hold rows, and their count of allocations.
//
//     rows [options of Google Benchmark]    times the rows
//     valgrind --tool=callgrind rows --count N
//         runs each row N times and has callgrind write a file of its own for each
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "row.hpp"
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_ZERO_STATS
#define CALLGRIND_DUMP_STATS_AT(name) static_cast<void>(name)
#endif

std::size_t bench::allocation_count = 0;

// All other forms of the standard library's come down to these. Rows have one thread.
void* operator new(std::size_t size) {
  ++bench::allocation_count;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  ++bench::allocation_count;
  const auto unit = static_cast<std::size_t>(alignment);
  if (void* memory = std::aligned_alloc(unit, (size + unit - 1) / unit * unit)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace {

/// The first runs resolve symbols, so they aren't counted.
int count_instructions(std::size_t count) {
  for (const bench::CountedRow& row : bench::counted_rows()) {
    bool good = row.run(0) && row.run(bench::ring_size);
    CALLGRIND_ZERO_STATS;
    good = good && row.run(count);
    CALLGRIND_DUMP_STATS_AT(row.name);
    if (good) continue;
    std::fprintf(stderr, "%s failed\n", row.name);
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "--count") == 0) {
    return count_instructions(std::strtoull(argv[2], nullptr, 10));
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return EXIT_FAILURE;
  benchmark::RunSpecifiedBenchmarks();
  return EXIT_SUCCESS;
}
