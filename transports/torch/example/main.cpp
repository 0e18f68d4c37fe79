// SPDX-License-Identifier: Apache-2.0
// Starts one worker or both, and reports what became of them.
#include <csignal>
#include <cstdlib>
#include <optional>

#include "worker0.hpp"
#include "worker1.hpp"

namespace torch_two_workers {

namespace {

using support::format;
using support::say;
using support::say_result;

constexpr const char* about =
    R"(Two processes train one classifier by libtorch's autograd and RPC agents.

Worker 0 has Fisher's iris data, the hidden layer and the loss, worker 1 the output layer. Each step
has several passes in flight at once. Activations and gradients travel as tensors; only gradtail's
trailers tell which gradients belong to which activations. After each step worker 0 compares the
gradients of both layers with those of the same model in a single process.)";

constexpr const char* exit_status =
    R"(Exit status: 0 if the loss fell and all gradients agree to 1e-5; 1 if not, or if something
fails, such as the other worker dying; 2 for wrong arguments.)";

// libtorch logs the end of each connection, and reads what it is to log before main begins.
void quieten(char** argv) {
  if (std::getenv("GLOG_minloglevel") != nullptr) return;
  ::setenv("GLOG_minloglevel", "3", 1);
  ::setenv("TORCH_CPP_LOG_LEVEL", "FATAL", 0);
  ::execv("/proc/self/exe", argv);  // where it fails, there is more to read
}

int report(const Outcome& outcome, std::int64_t steps) {
  const bool learned = outcome.last_loss < outcome.first_loss;
  const bool agrees = outcome.gradient_difference < 1e-5;
  const auto verdict = [](bool holds) { return holds ? "met" : "NOT MET"; };
  say("");
  say_result("first loss", format("%.4f", outcome.first_loss), "");
  say_result("last loss", format("%.4f", outcome.last_loss), text("must fall: ", verdict(learned)));
  say_result("gradient difference", format("%.2e", outcome.gradient_difference),
             text("must be below 1e-5: ", verdict(agrees)));
  say_result("steps compared", text(steps), text("of ", outcome.passes, " passes together"));
  say("");
  say(!agrees    ? "FAIL: the gradients are not those of the single-process model"
      : !learned ? "FAIL: the gradients are right, but the loss did not fall"
                 : "PASS: every gradient found its pass, and the model learned");
  return learned && agrees ? EXIT_SUCCESS : EXIT_FAILURE;
}

/// Runs `body`, and dies of what it throws. To be called while the worker is there: its end would
/// wait for the other one.
template <class Body>
void guarded(int worker, Body body) {
  try {
    body();
  } catch (const CLI::ParseError&) {
    throw;
  } catch (const std::exception& error) {
    // A worker that is gone makes calls fail; the watch knows why, and says so first.
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    die(worker, reason(error));
  }
}

int run_one(const Options& options) {
  int status = EXIT_SUCCESS;
  const int rank = options.rank;
  guarded(rank, [&] {
    support::Flowers flowers;
    if (rank == 0) flowers = support::read_iris(options.data, options.in_flight);
    const std::string interface = choose_interface(options.interface, options.master);
    if (!options.both) {
      say(text("worker ", rank, " is process ", ::getpid(), ", at the interface ", interface,
               "; waiting for worker ", 1 - rank));
    }
    Store store = make_store(rank, options.master);
    torch::manual_seed(options.seed + static_cast<std::uint64_t>(rank));
    if (rank == 0) {
      Worker0 worker(std::move(store), flowers, options);
      guarded(0, [&] { status = report(worker.run(), options.steps); });
    } else {
      Worker1 worker(std::move(store));
      guarded(1, [&] { worker.run(); });
    }
  });
  return status;
}

int run_both(Options& options) {
  (void)support::read_iris(options.data, options.in_flight);  // or both workers would start in vain
  {
    asio::io_context context;
    const asio::ip::tcp::acceptor free(context, {asio::ip::address_v4::loopback(), 0});
    options.master.port = free.local_endpoint().port();
  }
  options.both = true;
  options.rank = 1;
  static support::Child worker1([&] { return run_one(options); });  // before there are threads
  std::at_quick_exit([] { (void)worker1.ended_well(); });
  options.rank = 0;
  say(text("worker 0 is process ", ::getpid(), ", worker 1 is process ", worker1.id(),
           "; they meet at 127.0.0.1:", options.master.port));
  const int status = run_one(options);
  return worker1.ended_well() ? status : EXIT_FAILURE;
}

int run(Options& options, const std::string& master, char** argv) {
  if ((options.rank >= 0) != !master.empty()) {
    throw CLI::ValidationError(
        options.rank >= 0 ? "--rank needs --master HOST:PORT" : "--master needs --rank",
        "without them both workers run here");
  }
  if (!master.empty()) options.master = support::parse_address("--master", master, 1);
  quieten(argv);
  std::signal(SIGPIPE, SIG_IGN);
  return options.rank >= 0 ? run_one(options) : run_both(options);
}

}  // namespace
}  // namespace torch_two_workers

int main(int argc, char** argv) {
  torch_two_workers::Options options;
  std::string master;
  CLI::App app(torch_two_workers::about, "torch_two_workers");
  app.footer(torch_two_workers::exit_status);
  auto* rank = app.add_option("--rank", options.rank,
                              "the worker to be, 0 or 1 (default: both, on this machine)")
                   ->check(CLI::Range(0, 1));
  app.add_option("--master", master,
                 "HOST:PORT: an address of worker 0's machine and a free port there, the same for "
                 "both workers; [HOST]:PORT for IPv6");
  app.add_option("--interface", options.interface,
                 "the network interface whose address the other worker is to use (default: the one "
                 "that leads to HOST, or what TP_SOCKET_IFNAME names)")
      ->needs(rank);
  app.add_option("--steps", options.steps, "steps of the optimizer")
      ->check(CLI::Range(2, 1'000'000))
      ->capture_default_str();
  app.add_option("--in-flight", options.in_flight,
                 "passes in flight at once; each takes 150 / N flowers, rounded down")
      ->check(CLI::Range(2, 150))
      ->capture_default_str();
  app.add_option("--seed", options.seed, "for first weights and draws of flowers")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--data", options.data,
                 "worker 0: the iris data (default: the file in the source tree)");
  return support::run_program(app, argc, argv,
                              [&] { return torch_two_workers::run(options, master, argv); });
}
