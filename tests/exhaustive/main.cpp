// SPDX-License-Identifier: Apache-2.0
// Runs parts on all threads, shows progress, and ends with a table of what was answered.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <string_view>
#include <thread>

#include "parts.hpp"

namespace {

void print_help() {
  std::printf(
      "Usage: exhaustive [--count N] [--seed N] [--jobs N] [PART]...\n\n"
      "Runs the parts, or those whose name begins with a PART:\n\n");
  for (const Part& part : parts) std::printf("  %-16s %s\n", part.name, part.what);
  std::printf(
      "\n--count   messages of each random part (%llu)\n"
      "--seed    what they are drawn from (1)\n"
      "--jobs    threads (1); the messages are the same for any number of them\n\n"
      "Each answer is held to FORMAT.md's rules, written out once more in plain code, and\n"
      "random-table's to FlatBuffers too. Exits with 1 if any differs or, of 100000 tables or\n"
      "more, is never given; with 2 for wrong arguments.\n",
      static_cast<unsigned long long>(Options{}.count));
}

constexpr std::uint64_t enough_to_reach_all = 100'000;

/// Takes one chunk after the other, up to one with a violation. The terminal's last line says how
/// far all are.
Tally run(const Part& part, const Options& options) {
  const std::uint64_t chunks = part.chunks(options);
  std::atomic<std::uint64_t> next{0};
  std::mutex mutex;
  std::uint64_t done = 0;
  Tally all;
  const bool progress = isatty(STDERR_FILENO) != 0;
  const auto work = [&] {
    for (std::uint64_t chunk = next++; chunk < chunks; chunk = next++) {
      Tally tally;
      part.run(options, chunk, tally);
      const std::scoped_lock lock(mutex);
      all.add(tally);
      if (all.violation_count > 0) next = chunks;
      ++done;
      if (progress) std::fprintf(stderr, "\r%s: %3u %%", part.name, unsigned(100 * done / chunks));
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < options.jobs; ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  if (progress) std::fprintf(stderr, "\r\033[K");
  return all;
}

/// Returns the number of violations.
std::uint64_t run_and_print(const Part& part, const Options& options) {
  const auto start = std::chrono::steady_clock::now();
  Tally tally = run(part, options);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  if (part.reaches_all && options.count >= enough_to_reach_all && tally.violation_count == 0) {
    for (const std::string& name : never_given(tally)) tally.violation("never given, " + name);
  }
  print(part.name, tally, taken.count());
  std::fflush(stdout);
  return tally.violation_count;
}

bool parse_number(std::string_view text, std::uint64_t& number) {
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && rest == end && number > 0;
}

int fail(const char* text, std::string_view what) {
  std::fprintf(stderr, "exhaustive: '%.*s' %s; see --help\n", static_cast<int>(what.size()),
               what.data(), text);
  return 2;
}

bool chosen(const Part& part, const std::vector<std::string_view>& names) {
  const std::string_view name = part.name;
  return names.empty() || std::ranges::any_of(names, [&](std::string_view start) {
           return !start.empty() && name.starts_with(start);
         });
}

bool is_part(std::string_view name) {
  return std::ranges::any_of(parts, [&](const Part& part) { return chosen(part, {name}); });
}

/// Reads `--count N` and the like into options; false if it is none of them, or no number.
bool parse_option(std::string_view option, const char* text, Options& options) {
  std::uint64_t number = 0;
  if (text == nullptr || !parse_number(text, number)) return false;
  if (option == "--count") return options.count = number, true;
  if (option == "--seed") return options.seed = number, true;
  options.jobs = static_cast<unsigned>(std::min<std::uint64_t>(number, 256));
  return option == "--jobs";
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  std::vector<std::string_view> names;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--help") return print_help(), 0;
    if (argument.starts_with("--")) {
      if (!parse_option(argument, argv[++i], options))
        return fail("is no option, or no number follows", argument);
    } else if (is_part(argument)) {
      names.push_back(argument);
    } else {
      return fail("is no part", argument);
    }
  }
  std::uint64_t violations = 0;
  for (const Part& part : parts) {
    if (chosen(part, names)) violations += run_and_print(part, options);
  }
  std::printf("%llu violations\n", static_cast<unsigned long long>(violations));
  return violations == 0 ? 0 : 1;
}
