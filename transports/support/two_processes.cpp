// SPDX-License-Identifier: Apache-2.0
#include "two_processes.hpp"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>

namespace two_processes {
namespace {

/// Runs one side; 0 unless it throws.
int guarded(const std::string& side, const std::function<void()>& body) {
  try {
    body();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", side.c_str(), error.what());
  }
  return 1;
}

[[noreturn]] void be_server(const std::string& name, int ready,
                            const std::function<void(const Ready&)>& serve, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) std::_Exit(1);
  const int status = guarded(name + ", server", [&] {
    serve([&](std::uint16_t port) {
      if (write(ready, &port, sizeof port) != sizeof port) std::perror("the port's pipe");
      close(ready);
    });
  });
  std::fflush(nullptr);
  std::_Exit(status);
}

/// 0 where the child ended well. One that is no longer `wanted` has two seconds to say why.
int join(const std::string& name, pid_t child, bool wanted) {
  int status = 0;
  for (int tenths = 0; !wanted && tenths < 20; ++tenths) {
    if (waitpid(child, &status, WNOHANG) == child) return 1;
    usleep(100'000);
  }
  if (!wanted) kill(child, SIGTERM);
  waitpid(child, &status, 0);
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  std::fprintf(stderr, "%s, server: ended by signal %d\n", name.c_str(), WTERMSIG(status));
  return 1;
}

}  // namespace

int run(const std::string& name, const std::function<void(const Ready&)>& serve,
        const std::function<void(std::uint16_t port)>& call, unsigned seconds) {
  std::array<int, 2> ready{};
  const pid_t parent = getpid();
  std::signal(SIGPIPE, SIG_IGN);  // a peer that is gone is an error to be told
  if (pipe(ready.data()) != 0) return 1;
  const pid_t child = fork();
  if (child == 0) {
    close(ready[0]);
    be_server(name, ready[1], serve, parent);
  }
  close(ready[1]);
  alarm(seconds);  // ends this process, and its death the child
  std::uint16_t port = 0;
  const bool served = read(ready[0], &port, sizeof port) == sizeof port;
  close(ready[0]);
  const int called = served ? guarded(name + ", caller", [&] { call(port); }) : 1;
  return join(name, child, called == 0) + called != 0 ? 1 : 0;
}

int run_on_sockets(const std::string& name, int type, const std::function<void(int socket)>& serve,
                   const std::function<void(int socket)>& call, unsigned seconds) {
  std::array<int, 2> sockets{};
  if (socketpair(AF_UNIX, type, 0, sockets.data()) != 0) return 1;
  return run(
      name,
      [&](const Ready& ready) {
        close(sockets[1]);
        ready(0);
        serve(sockets[0]);
      },
      [&](std::uint16_t /*port*/) {
        close(sockets[0]);
        call(sockets[1]);
      },
      seconds);
}

}  // namespace two_processes
