// SPDX-License-Identifier: Apache-2.0
// Starts one worker or both, and makes an exit status of what became of them.
#include <sys/wait.h>
#include <torch/torch.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "interface.hpp"
#include "link.hpp"
#include "options.hpp"
#include "worker0.hpp"
#include "worker1.hpp"

namespace torch_two_workers {

namespace {

constexpr double most_difference = 1e-5;

// libtorch logs the end of each connection, and reads what it is to log before main begins.
void quieten(char** argv) {
  if (std::getenv("GLOG_minloglevel") != nullptr) return;
  ::setenv("GLOG_minloglevel", "3", 1);
  ::setenv("TORCH_CPP_LOG_LEVEL", "FATAL", 0);
  ::execv("/proc/self/exe", argv);  // where it fails, there is more to read
}

bool print_summary(const Outcome& outcome) {
  const bool learned = outcome.last_loss < outcome.first_loss;
  const bool agrees = outcome.gradient_difference < most_difference;
  std::printf("\n  loss                 %.4f, then %.4f   must fall: %s\n", outcome.first_loss,
              outcome.last_loss, learned ? "met" : "NOT MET");
  std::printf("  gradient difference  %.2e           must be below %.0e: %s\n",
              outcome.gradient_difference, most_difference, agrees ? "met" : "NOT MET");
  std::printf("  steps compared       %lld, of %lld passes together\n\n",
              static_cast<long long>(outcome.steps), static_cast<long long>(outcome.passes));
  std::puts(agrees && learned ? "PASS: every gradient found its pass, and the model learned"
            : agrees          ? "FAIL: the gradients are right, but the loss did not fall"
                              : "FAIL: the gradients are not those of the single-process model");
  return learned && agrees;
}

template <class Function>
int guarded(std::int16_t worker, Function run) {
  try {
    return run();
  } catch (const UsageError&) {
    throw;
  } catch (const std::exception& error) {
    // A worker that is gone makes calls fail; the watch knows why, and says so first.
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    die(worker, reason(error));
  }
}

// What goes wrong between workers is caught while they are: their end would wait for each other.
int run_worker0(c10::intrusive_ptr<c10d::TCPStore> store, Flowers flowers, const Options& options) {
  torch::manual_seed(options.seed);
  Worker0 worker(std::move(store), std::move(flowers), options);
  return guarded(0, [&] { return print_summary(worker.run()) ? EXIT_SUCCESS : EXIT_FAILURE; });
}

int run_worker1(c10::intrusive_ptr<c10d::TCPStore> store, const Options& options) {
  torch::manual_seed(options.seed + 1);
  Worker1 worker(std::move(store));
  return guarded(1, [&] {
    worker.run();
    return EXIT_SUCCESS;
  });
}

int run_one(std::int16_t worker, const Options& options) {
  return guarded(worker, [&] {
    Flowers flowers;
    if (worker == 0) flowers = read_flowers(options.data, options.in_flight);
    const std::string interface = choose_interface(options);
    std::printf("worker %d is process %d, at the interface %s; waiting for worker %d\n", worker,
                ::getpid(), interface.c_str(), 1 - worker);
    std::fflush(stdout);
    auto store = make_store(worker, options.master);
    return worker == 0 ? run_worker0(std::move(store), std::move(flowers), options)
                       : run_worker1(std::move(store), options);
  });
}

/// In the child process. The port comes by the pipe once worker 0 listens.
int run_child(int ports, Options options) {
  return guarded(1, [&] {
    if (::read(ports, &options.master.port, sizeof options.master.port) <= 0) {
      throw std::runtime_error("worker 0 is gone before it listened");
    }
    ::close(ports);
    choose_interface(options);
    return run_worker1(make_store(1, options.master), options);
  });
}

/// Worker 1 ends by itself, also when worker 0 is gone; but not if it was stopped.
int wait_for(pid_t child) {
  int status = 0;
  for (int i = 0; i < 200; ++i) {
    if (::waitpid(child, &status, WNOHANG) != 0) return status;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, &status, 0);
  return status;
}

/// Lets no end of this process leave the child behind.
void take_along(pid_t child) {
  static const pid_t taken = child;
  std::at_quick_exit([] { wait_for(taken); });
}

int run_both(const Options& options) {
  Flowers flowers = read_flowers(options.data, options.in_flight);
  std::array<int, 2> ports{};
  if (::pipe(ports.data()) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  std::signal(SIGCHLD, SIG_DFL);  // if it were inherited as ignored, no status could be waited for
  const pid_t child = ::fork();   // before there are threads
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child == 0) {
    ::close(ports[1]);
    return run_child(ports[0], options);
  }
  ::close(ports[0]);
  take_along(child);
  return guarded(0, [&] {
    choose_interface(options);
    auto store = make_store(0, options.master);
    const std::uint16_t port = store->getPort();
    std::printf("worker 0 is process %d, worker 1 is process %d; they meet at 127.0.0.1:%d\n",
                ::getpid(), child, port);
    std::fflush(stdout);
    if (::write(ports[1], &port, sizeof port) != sizeof port) {
      throw std::runtime_error("worker 1 is gone");
    }
    ::close(ports[1]);
    const int status = run_worker0(std::move(store), std::move(flowers), options);
    return wait_for(child) == 0 ? status : EXIT_FAILURE;
  });
}

}  // namespace
}  // namespace torch_two_workers

int main(int argc, char** argv) {
  using namespace torch_two_workers;
  try {
    const Options options = parse_options({argv + 1, argv + argc});
    if (options.help) {
      std::fputs(help_text, stdout);
      return EXIT_SUCCESS;
    }
    quieten(argv);
    std::signal(SIGPIPE, SIG_IGN);
    return options.rank ? run_one(*options.rank, options) : run_both(options);
  } catch (const UsageError& error) {
    std::fprintf(stderr, "torch_two_workers: %s\ntorch_two_workers: see --help\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "torch_two_workers: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
