// SPDX-License-Identifier: Apache-2.0
// Starts the two processes, joins them by TCP, and makes an exit status of what became of them.
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "iris.hpp"
#include "log.hpp"
#include "messages.hpp"
#include "options.hpp"
#include "report.hpp"
#include "socket.hpp"
#include "worker0.hpp"
#include "worker1.hpp"

namespace two_workers {

namespace {

// In one write, as two processes may have something to complain of.
void complain(const std::string& name, const std::string& what) {
  if (is_terminal()) say_for_now("");  // the progress line, if there is one, would be in the way
  std::fputs((name + ": " + what + "\n").c_str(), stderr);
}

Channel make_channel(Socket socket, std::int32_t self, const Options& options) {
  WireOptions wire;
  wire.dump_directory = options.dump_directory;
  wire.faults = options.faults[static_cast<std::size_t>(self)];
  wire.faults.seed = options.seed;
  // A reader who pages through the output of --verbose holds up the worker that prints it.
  if (options.verbose) wire.patience = std::chrono::minutes(10);
  return {Connection(std::move(socket), self, 1 - self, std::move(wire)), options.verbose};
}

std::optional<Outcome> run_worker0(Socket& listener, Flowers flowers, const Options& options) {
  try {
    Socket socket = listener.accept(std::chrono::steady_clock::now() + std::chrono::seconds(3));
    Channel channel = make_channel(std::move(socket), 0, options);
    return Worker0(std::move(channel), std::move(flowers), options).run();
  } catch (const std::exception& error) {
    complain("worker 0", error.what());
    return std::nullopt;
  }
}

int run_worker1(Socket& listener, const Options& options) {
  try {
    const std::uint16_t port = listener.port();
    listener.close();  // or the port would outlive worker 0
    Channel channel = make_channel(Socket::connect(port), 1, options);
    Worker1(std::move(channel), options.seed, options.in_flight).run();
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    complain("worker 1", error.what());
    return EXIT_FAILURE;
  }
}

// Worker 1 ends by itself when the connection is closed, unless it hangs or has been stopped.
int wait_for_worker1(pid_t pid) {
  int status = 0;
  for (int i = 0; i < 100; ++i) {
    const pid_t ended = ::waitpid(pid, &status, WNOHANG);
    if (ended < 0) throw std::system_error(errno, std::generic_category(), "waitpid");
    if (ended == pid) return status;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  complain("worker 1", "does not end, so it is killed");
  ::kill(pid, SIGKILL);
  ::waitpid(pid, &status, 0);
  return status;
}

bool ended_well(int status) {
  if (WIFSIGNALED(status)) {
    complain("worker 1", "was killed by signal " + std::to_string(WTERMSIG(status)));
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

void make_dump_directory(const std::filesystem::path& directory) {
  std::error_code error;
  if (!directory.empty()) std::filesystem::create_directories(directory, error);
  if (error) {
    throw std::runtime_error("can't make the directory " + directory.string() +
                             " of --dump: " + error.message());
  }
}

int run(const Options& options) {
  Flowers flowers = read_iris(options.data);
  make_dump_directory(options.dump_directory);
  std::signal(SIGCHLD, SIG_DFL);  // if it were inherited as ignored, no status could be waited for
  Socket listener = Socket::listen();
  const pid_t worker1 = ::fork();
  if (worker1 < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (worker1 == 0) return run_worker1(listener, options);

  say("worker 0 is process " + std::to_string(::getpid()) + ", worker 1 is process " +
      std::to_string(worker1) + "; joined by TCP on 127.0.0.1:" + std::to_string(listener.port()));
  const std::optional<Outcome> outcome = run_worker0(listener, std::move(flowers), options);
  listener.close();
  const bool worker1_is_well = ended_well(wait_for_worker1(worker1));
  if (!outcome || !worker1_is_well) {
    say("FAIL: the training did not come to its end");
    return EXIT_FAILURE;
  }
  return print_summary(*outcome) ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace two_workers

int main(int argc, char** argv) {
  using namespace two_workers;
  try {
    const Options options = parse_options({argv + 1, argv + argc});
    if (!options.help) return run(options);
    std::fputs(help_text, stdout);
    return EXIT_SUCCESS;
  } catch (const UsageError& error) {
    complain("two_workers", std::string(error.what()) + "\ntwo_workers: see --help");
    return 2;
  } catch (const std::exception& error) {
    complain("two_workers", error.what());
    return EXIT_FAILURE;
  }
}
