// SPDX-License-Identifier: Apache-2.0
// What a second thread on a second core gains: append and open against a loop of pure arithmetic.
//
// Prints a line for each task: the gain, a tab, its name. Tasks and numbers of threads take turns;
// of each the best of a hundred short rounds counts, as whatever disturbs a round can only slow it
// down. One thread runs on each of the two cores in turn, since a shared machine's are not equally
// fast.
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>

#include "gradtail_rows.hpp"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int rounds = 100;
constexpr auto duration = std::chrono::milliseconds(5);

/// Arithmetic in registers: what two cores gain when they share nothing. Four chains at a time, to
/// keep a core as busy as the other rows do; one alone would leave room for a second thread on it.
class ControlRow {
 public:
  static bool ready() { return true; }
  bool run(std::size_t i) {
    for (int n = 0; n < 4; ++n) {
      for (std::uint64_t& x : state_) x = (x ^ x >> 29) + (x << 7) + i;
    }
    return true;
  }

 private:
  std::array<std::uint64_t, 4> state_{1, 2, 3, 4};
};

/// Puts the calling thread on the n-th of the cores that the program may use.
void pin(int n) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  for (std::size_t core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &allowed) || n-- != 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    pthread_setaffinity_np(pthread_self(), sizeof one, &one);
  }
}

/// Runs a row for a while. Returns how often in a second; 0 where it failed.
template <class Row>
double rate(std::atomic<int>& waiting) {
  Row row;
  if (!row.ready()) return 0;
  benchmark::DoNotOptimize(&row);
  for (--waiting; waiting != 0;) {
  }
  std::size_t count = 0;
  const auto start = Clock::now();
  Clock::duration passed{};
  for (; passed < duration; passed = Clock::now() - start) {
    for (std::size_t i = 0; i < 1024; ++i, ++count) {
      if (!row.run(i % ring_size)) return 0;
      benchmark::ClobberMemory();
    }
  }
  return static_cast<double>(count) / std::chrono::duration<double>(passed).count();
}

/// How often in a second a thread on each of these cores, all together.
template <class Row>
double rate_on(int first_core, int count) {
  std::atomic<int> waiting = count;
  std::vector<double> rates(static_cast<std::size_t>(count));
  std::vector<std::thread> threads;
  threads.reserve(rates.size());
  for (int n = 0; n < count; ++n) {
    threads.emplace_back([&waiting, &rates, first_core, n] {
      pin(first_core + n);
      rates[static_cast<std::size_t>(n)] = rate<Row>(waiting);
    });
  }
  for (std::thread& thread : threads) thread.join();
  double sum = 0;
  for (const double rate : rates) sum += rate;
  return sum;
}

struct Task {
  const char* name;
  double (*rate)(int first_core, int threads);
  double best_on_first = 0;
  double best_on_second = 0;
  double best_on_both = 0;
};

}  // namespace
}  // namespace bench

int main() {
  using namespace bench;
  Task tasks[] = {{"control", rate_on<ControlRow>},
                  {"append", rate_on<AppendRow>},
                  {"open", rate_on<ReadRow<Gradtail<>>>}};
  for (int round = 0; round < rounds; ++round) {
    for (Task& task : tasks) {
      task.best_on_first = std::max(task.best_on_first, task.rate(0, 1));
      task.best_on_second = std::max(task.best_on_second, task.rate(1, 1));
      task.best_on_both = std::max(task.best_on_both, task.rate(0, 2));
    }
  }
  for (const Task& task : tasks) {
    const double alone = (task.best_on_first + task.best_on_second) / 2;
    std::printf("%.4f\t%s\n", task.best_on_both / alone, task.name);
  }
}
