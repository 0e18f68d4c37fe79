// SPDX-License-Identifier: Apache-2.0
// Starts the two processes, joined by TCP, and reports what became of them.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "program.hpp"
#include "worker0.hpp"
#include "worker1.hpp"

namespace two_workers {
namespace {

constexpr const char* about =
    R"(Two processes train one classifier over TCP, joined by gradtail's trailers.

Worker 0 has the hidden layer and Fisher's iris data, worker 1 the output layer and the loss.
Several passes are in flight at once. Worker 1 answers them in a random order, so only the ids in
the trailers tell which gradients belong to which activations. At every step the gradients are
compared with those of the same model in a single process.)";

constexpr const char* exit_status =
    R"(Exit status: 0 if the accuracy passes 95 % and all gradients agree to 1e-9; 1 if not, or if
something fails, such as a worker that dies; 2 for wrong arguments.)";

constexpr const char* fault_help = R"(what goes wrong on the wire; can be repeated
  none    nothing
  damage  one bit of a trailer is flipped: its receiver refuses the
          message and asks for it again; damage:W:N does it to frame N
          of worker W, counted from 0 (damage alone: damage:1:5)
  swap    two answers get each other's ids, with valid checksums, which
          only the comparison of gradients can find: the run must fail)";

/// Whether there is such a fault.
bool apply_fault(const std::string& fault, Options& options) {
  if (fault == "none") return true;
  if (fault == "swap") {
    options.swap_ids = true;
    return true;
  }
  unsigned worker = 1;
  unsigned long long frame = 5;
  int end = 0;
  if (fault != "damage" &&
      (std::sscanf(fault.c_str(), "damage:%1u:%18llu%n", &worker, &frame, &end) != 2 ||
       worker > 1 || fault.size() != static_cast<std::size_t>(end))) {
    return false;
  }
  options.damaged_frames[worker].push_back(frame);
  return true;
}

std::string check_fault(const std::string& fault) {
  Options unused;
  if (apply_fault(fault, unused)) return {};
  return "takes none, damage, damage:W:N (W is 0 or 1), such as damage:1:5, or swap, not '" +
         fault + "'";
}

bool print_summary(const Outcome& outcome) {
  const bool learned = outcome.accuracy > 0.95;
  const bool agrees = outcome.gradient_difference < 1e-9;
  const auto verdict = [](bool holds) { return holds ? "met" : "NOT MET"; };
  const auto shares = [](std::uint64_t worker0, std::uint64_t worker1) {
    return text(worker0, " by worker 0, ", worker1, " by worker 1");
  };
  const Traffic& traffic = outcome.traffic;
  say("");
  say_result("training accuracy", format("%.1f %%", outcome.accuracy * 100),
             text("must pass 95 %: ", verdict(learned)));
  say_result("largest gradient difference", format("%.2e", outcome.gradient_difference),
             text("must be below 1e-9: ", verdict(agrees)));
  say_result("steps compared", text(outcome.steps),
             "all gradients of both layers, with a single-process model's");
  say_result("messages sent", text(traffic.sent + traffic.received),
             shares(traffic.sent, traffic.received));
  say_result("bytes sent", text(traffic.bytes), text(traffic.trailer_bytes, " of them trailers"));
  say_result("trailer bytes per message",
             format("%.1f", static_cast<double>(traffic.trailer_bytes) /
                                static_cast<double>(traffic.trailers)),
             text(traffic.largest_trailer, " at most"));
  say_result("messages rejected", text(traffic.rejected + traffic.rejected_by_peer),
             shares(traffic.rejected, traffic.rejected_by_peer));
  say("");
  say(!agrees    ? "FAIL: the gradients are not those of the single-process model: some answer was "
                   "taken for that of another pass, or a payload was changed"
      : !learned ? "FAIL: the gradients are right, but the model has not learned enough: try more "
                   "--epochs"
                 : "PASS: every answer found its pass, and the model learned");
  return learned && agrees;
}

// Whether the worker came to its end.
template <class Run>
bool guarded(const char* worker, Run run) {
  try {
    run();
    return true;
  } catch (const std::exception& error) {
    complain(worker, error.what());
    return false;
  }
}

int run(const Options& options) {
  Flowers flowers = read_iris(options.data, static_cast<std::int64_t>(options.in_flight));
  const std::array<int, 2> ends = make_connection();
  Child child([&] {
    ::close(ends[0]);  // or worker 1 would never see that worker 0 is gone
    return guarded("worker 1", [&] { Worker1(ends[1], options).run(); }) ? EXIT_SUCCESS
                                                                         : EXIT_FAILURE;
  });
  ::close(ends[1]);
  say(text("worker 0 is process ", ::getpid(), ", worker 1 is process ", child.id(),
           "; joined by TCP"));

  Outcome outcome;
  const bool is_well =
      guarded("worker 0", [&] { outcome = Worker0(ends[0], std::move(flowers), options).run(); });
  if (!child.ended_well() || !is_well) {
    say("FAIL: the training did not come to its end");
    return EXIT_FAILURE;
  }
  return print_summary(outcome) ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace two_workers

// NOLINTNEXTLINE(bugprone-exception-escape): only out of memory, which may end the program
int main(int argc, char** argv) {
  two_workers::Options options;
  std::vector<std::string> faults{"damage"};
  CLI::App app(two_workers::about, "two_workers");
  app.footer(two_workers::exit_status);
  app.add_option("--epochs", options.epochs, "optimizer steps; one is about a pass over the data")
      ->check(CLI::Range(1, 10'000'000))
      ->capture_default_str();
  app.add_option("--in-flight", options.in_flight,
                 "passes in flight at once; each takes 150 / N flowers, drawn anew for each step")
      ->check(CLI::Range(8, 150))
      ->capture_default_str();
  app.add_option("--seed", options.seed,
                 "for the first weights, the draws of flowers and the order of answers")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--fault", faults, two_workers::fault_help)
      ->check(CLI::Validator(two_workers::check_fault, "KIND"))
      ->allow_extra_args(false)
      ->capture_default_str();
  app.add_flag("--verbose", options.verbose, "print the metadata of each message");
  app.add_option("--data", options.data, "the iris data (default: the file in the source tree)");
  try {
    app.parse(argc, argv);
    for (const std::string& fault : faults) two_workers::apply_fault(fault, options);
    return two_workers::run(options);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    two_workers::complain("two_workers", std::string(error.what()) + "\ntwo_workers: see --help");
    return 2;
  } catch (const std::exception& error) {
    two_workers::complain("two_workers", error.what());
    return EXIT_FAILURE;
  }
}
