// SPDX-License-Identifier: Apache-2.0
// Two processes that talk over loopback, for one integration test.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace two_processes {

/// What the server process calls as soon as it can be reached, with the port the kernel chose.
using Ready = std::function<void(std::uint16_t port)>;

/// Runs both to their end: `serve` in a child process, `call` in this one once the port is known.
/// To be called before there are threads. Returns the exit status for main: 0 where neither threw.
/// What they throw is printed with the side that threw it. Where the caller fails the server is
/// ended, and after `seconds` SIGALRM ends both: nothing is left behind.
[[nodiscard]] int run(const std::string& name, const std::function<void(const Ready&)>& serve,
                      const std::function<void(std::uint16_t port)>& call, unsigned seconds = 60);

/// The same for processes that meet on two connected local sockets of this type, such as
/// SOCK_STREAM.
[[nodiscard]] int run_on_sockets(const std::string& name, int type,
                                 const std::function<void(int socket)>& serve,
                                 const std::function<void(int socket)>& call,
                                 unsigned seconds = 60);

}  // namespace two_processes
