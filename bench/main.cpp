// SPDX-License-Identifier: Apache-2.0
// The main function of the programs that Google Benchmark runs.
#include <benchmark/benchmark.h>

BENCHMARK_MAIN();
