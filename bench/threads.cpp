// SPDX-License-Identifier: Apache-2.0
// What a second thread on a second core gains: append and open against a loop of pure arithmetic.
//
// Prints a line for each task: the gain, a tab, its name. Tasks and numbers of threads take turns;
// of each the best of ten rounds counts, as whatever disturbs a round can only slow it down.
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

constexpr int rounds = 10;
constexpr auto duration = std::chrono::milliseconds(20);

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

/// How often in a second all of these threads together.
template <class Row>
double rate_of_threads(int count) {
  std::atomic<int> waiting = count;
  std::vector<double> rates(static_cast<std::size_t>(count));
  std::vector<std::thread> threads;
  threads.reserve(rates.size());
  for (int n = 0; n < count; ++n) {
    threads.emplace_back([&waiting, &rates, n] {
      pin(n);
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
  double (*rate)(int threads);
  double best_of_one = 0;
  double best_of_two = 0;
};

}  // namespace
}  // namespace bench

int main() {
  using namespace bench;
  Task tasks[] = {{"control", rate_of_threads<ControlRow>},
                  {"append", rate_of_threads<AppendRow>},
                  {"open", rate_of_threads<ReadRow<Gradtail<>>>}};
  for (int round = 0; round < rounds; ++round) {
    for (Task& task : tasks) {
      task.best_of_one = std::max(task.best_of_one, task.rate(1));
      task.best_of_two = std::max(task.best_of_two, task.rate(2));
    }
  }
  for (const Task& task : tasks) {
    std::printf("%.4f\t%s\n", task.best_of_two / task.best_of_one, task.name);
  }
}
