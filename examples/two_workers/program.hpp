// SPDX-License-Identifier: Apache-2.0
// What is around the training: lines of output, and a child process.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <system_error>
#include <thread>

namespace two_workers {

/// All parts in one string.
template <class... Parts>
[[nodiscard]] std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/// The values as printf prints them with this pattern.
template <class... Values>
[[nodiscard]] std::string format(const char* pattern, Values... values) {
  std::array<char, 256> result{};
  std::snprintf(result.data(), result.size(), pattern, values...);
  return result.data();
}

inline bool is_terminal() {
  static const bool result = ::isatty(STDOUT_FILENO) == 1;
  return result;
}

/// Prints a line on standard output, in one write, so that lines of two processes don't mix. On a
/// terminal it replaces a line that was printed with `end` "".
inline void say(const std::string& line, const char* end = "\n") {
  std::fputs(text(is_terminal() ? "\r\x1b[K" : "", line, end).c_str(), stdout);
  std::fflush(stdout);
}

/// Prints an error, in one write.
inline void complain(const std::string& name, const std::string& what) {
  if (is_terminal()) say("", "");
  std::fputs(text(name, ": ", what, "\n").c_str(), stderr);
}

/// Prints one line of a table of results.
inline void say_result(const char* name, const std::string& value, const std::string& remark) {
  say(format("  %-28s %12s   %s", name, value.c_str(), remark.c_str()));
}

/// Whether to show the progress of step `done`, the first being 1: some ten times, or on a terminal
/// ten times a second, where the line is rewritten.
class Progress {
 public:
  explicit Progress(std::uint64_t total) : total_(total) {}

  template <class Line>
  void show(std::uint64_t done, Line line) {
    const auto now = std::chrono::steady_clock::now();
    const bool is_tenth = done == 1 || done * 10 / total_ != (done - 1) * 10 / total_;
    if (done == total_ || (is_tenth && !is_terminal())) {
      say(line());
    } else if (is_terminal() && now - last_ > std::chrono::milliseconds(100)) {
      last_ = now;
      say(line(), "");
    }
  }

 private:
  std::uint64_t total_;
  std::chrono::steady_clock::time_point last_ = {};
};

/// A child process that isn't left behind.
class Child {
 public:
  /// Forks. `body` gives the child's exit status. Throws std::system_error if there is no process.
  template <class Body>
  explicit Child(Body body) {
    std::signal(SIGCHLD, SIG_DFL);  // inherited as ignored, it would hide the status
    id_ = ::fork();
    if (id_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (id_ == 0) std::exit(body());
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { (void)ended_well(); }

  [[nodiscard]] pid_t id() const { return id_; }

  /// Waits until the child has ended, or kills it after a second. Returns whether its status is 0.
  bool ended_well() {
    for (int i = 0; !has_ended_ && i < 100; ++i) {
      has_ended_ = ::waitpid(id_, &status_, WNOHANG) != 0;
      if (!has_ended_) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    if (!has_ended_) {
      ::kill(id_, SIGKILL);
      ::waitpid(id_, &status_, 0);
      has_ended_ = true;
    }
    return status_ == 0;
  }

 private:
  pid_t id_;
  bool has_ended_ = false;
  int status_ = 0;
};

}  // namespace two_workers
