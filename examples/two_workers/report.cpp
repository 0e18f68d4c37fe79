// SPDX-License-Identifier: Apache-2.0
// Progress, and the table of results with what each must be.
#include "report.hpp"

#include <array>
#include <cstdarg>
#include <cstdio>
#include <string>

#include "log.hpp"

namespace two_workers {

namespace {

constexpr double required_accuracy = 0.95;
constexpr double required_difference = 1e-9;

[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...) {
  std::array<char, 256> text{};
  va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(text.data(), text.size(), pattern, arguments);
  va_end(arguments);
  return text.data();
}

unsigned long long number(std::uint64_t value) { return value; }

void row(const char* name, const std::string& value, const std::string& remark) {
  say(format("  %-28s %12s   %s", name, value.c_str(), remark.c_str()));
}

void print_traffic(const Traffic& traffic) {
  row("messages sent", format("%llu", number(traffic.sent + traffic.received)),
      format("%llu by worker 0, %llu by worker 1", number(traffic.sent), number(traffic.received)));
  row("bytes sent", format("%llu", number(traffic.bytes)),
      format("%llu of them trailers", number(traffic.trailer_bytes)));
  row("trailer bytes per message",
      format("%.1f",
             static_cast<double>(traffic.trailer_bytes) / static_cast<double>(traffic.trailers)),
      format("%zu at most", traffic.largest_trailer));
  row("messages rejected", format("%llu", number(traffic.rejected + traffic.rejected_by_peer)),
      format("%llu by worker 0, %llu by worker 1", number(traffic.rejected),
             number(traffic.rejected_by_peer)));
}

const char* verdict(bool holds) { return holds ? "met" : "NOT MET"; }

}  // namespace

Progress::Progress(std::uint64_t step_count) : step_count_(step_count) {}

bool Progress::is_due(std::uint64_t steps_done) {
  if (steps_done == step_count_) return true;
  if (!is_terminal()) return steps_done * 10 / step_count_ != (steps_done - 1) * 10 / step_count_;
  const auto now = std::chrono::steady_clock::now();
  if (now - last_ < std::chrono::milliseconds(100)) return false;
  last_ = now;
  return true;
}

void Progress::show(std::uint64_t steps_done, double loss, double accuracy) {
  if (!is_due(steps_done)) return;
  const std::string line = format("  epoch %*llu of %llu   loss %.4f   accuracy %5.1f %%",
                                  static_cast<int>(std::to_string(step_count_).size()),
                                  number(steps_done), number(step_count_), loss, accuracy * 100);
  if (is_terminal() && steps_done < step_count_) {
    say_for_now(line);
  } else {
    say(line);
  }
}

bool print_summary(const Outcome& outcome) {
  const bool learned = outcome.accuracy > required_accuracy;
  const bool agrees = outcome.gradient_difference < required_difference;
  say("");
  row("training accuracy", format("%.1f %%", outcome.accuracy * 100),
      format("must pass %.0f %%: %s", required_accuracy * 100, verdict(learned)));
  row("largest gradient difference", format("%.2e", outcome.gradient_difference),
      format("must be below 1e-9: %s", verdict(agrees)));
  row("steps compared", format("%llu", number(outcome.steps)),
      "all gradients of both layers, with a single-process model's");
  print_traffic(outcome.traffic);
  say("");
  if (!agrees) {
    say("FAIL: the gradients are not those of the single-process model: some answer was taken for "
        "that of another pass, or a payload was changed");
  } else if (!learned) {
    say("FAIL: the gradients are right, but the model has not learned enough: try more --epochs");
  } else {
    say("PASS: every answer found its pass, and the model learned");
  }
  return learned && agrees;
}

}  // namespace two_workers
