// SPDX-License-Identifier: Apache-2.0
// Several threads at once: ids are handed out once each, and what is const is shared freely.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <span>
#include <thread>
#include <vector>

#include "gradtail/append.hpp"
#include "gradtail/id.hpp"
#include "gradtail/segments.hpp"
#include "gradtail/strip.hpp"
#include "reference.hpp"

using gradtail::AutogradMetadata;
using gradtail::IdGenerator;
using gradtail::TrailerScratch;
using reference::Bytes;

namespace {

constexpr std::size_t thread_count = 4;

/// Calls `work` with 0, 1, 2, 3, each in a thread of its own; they begin together.
template <class Work>
void in_threads(Work work) {
  std::atomic<std::size_t> ready = 0;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < thread_count; ++i) {
    threads.emplace_back([&, i] {
      for (++ready; ready != thread_count;) std::this_thread::yield();
      work(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

/// A thread that wakes up interrupts another in the middle of its work, even on a single core.
void sleep_sometimes(std::size_t round) {
  if (round % 1000 == 0) std::this_thread::sleep_for(std::chrono::microseconds(1));
}

/// The counters that all threads got, in no order, when each asks for `attempts` ids.
std::vector<std::uint64_t> counters_of(IdGenerator& ids, std::size_t attempts) {
  std::vector<std::uint64_t> each[thread_count];
  in_threads([&](std::size_t i) {
    each[i].reserve(attempts);
    for (std::size_t n = 0; n < attempts; ++n) {
      if (const auto id = ids.next()) each[i].push_back(gradtail::id_counter(*id));
      sleep_sometimes(n);
    }
  });
  std::vector<std::uint64_t> all;
  for (const auto& counters : each) all.insert(all.end(), counters.begin(), counters.end());
  return all;
}

/// Whether the counters are those from `first` on, each once.
bool complete(std::vector<std::uint64_t> counters, std::uint64_t first) {
  std::ranges::sort(counters);
  return std::ranges::all_of(counters, [&](std::uint64_t counter) { return counter == first++; });
}

}  // namespace

TEST_CASE("every id is handed out once, and none is left out") {
  constexpr std::size_t attempts = 600000;
  IdGenerator ids(3, 1000);
  const auto counters = counters_of(ids, attempts);
  CHECK(counters.size() == thread_count * attempts);
  CHECK(complete(counters, 1000));
}

TEST_CASE("the last ids are handed out once, and then no more") {
  const std::uint64_t first = gradtail::max_id_counter - 9999;
  IdGenerator ids(3, first);
  const auto counters = counters_of(ids, 5000);
  CHECK(counters.size() == 10000);
  CHECK(complete(counters, first));
  CHECK(!ids.next());
}

TEST_CASE("one message is read by all threads, in one piece and in two, and each reads its own") {
  const Bytes shared = reference::message_of(100, reference::mapped);
  const std::array<std::span<const std::byte>, 2> pieces = {std::span(shared).first(130),
                                                            std::span(shared).subspan(130)};
  std::atomic<std::size_t> good = 0;
  in_threads([&](std::size_t i) {
    const auto metadata =
        reference::fields_of(0xF0 | static_cast<unsigned>(i), reference::two_pairs);
    const Bytes message = reference::message_of(i, metadata);
    TrailerScratch scratch;
    for (std::size_t n = 0; n < 60000; ++n) {
      sleep_sometimes(n);
      const auto own = gradtail::open(message);
      const auto whole = gradtail::open(shared);
      const auto gathered = gradtail::open(pieces, scratch);
      good += own && own->metadata() == metadata && whole &&
              whole->metadata() == reference::mapped && gathered &&
              gathered->metadata() == reference::mapped;
    }
  });
  CHECK(good == thread_count * 60000);
}

TEST_CASE("each thread appends to its own buffer and strips it, with a device map for all") {
  const auto map = reference::pairs(40);
  std::atomic<std::size_t> good = 0;
  in_threads([&](std::size_t i) {
    const AutogradMetadata metadata{.context_id = static_cast<std::int64_t>(i), .device_map = map};
    Bytes buffer = reference::payload_of(10 + i);
    const Bytes message = reference::message_of(10 + i, metadata);
    TrailerScratch scratch;
    for (std::size_t n = 0; n < 1000; ++n) {
      const bool same = gradtail::append(buffer, metadata) && buffer == message;
      const auto stripped = gradtail::strip(buffer, scratch);
      good += same && stripped && stripped->metadata() == metadata && buffer.size() == 10 + i;
    }
  });
  CHECK(good == thread_count * 1000);
}
