// SPDX-License-Identifier: Apache-2.0
// Whole lines, past stdio's buffer, which a fork would copy.
#include "log.hpp"

#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace two_workers {

namespace {

constexpr std::string_view clear_line = "\r\x1b[K";

void write_all(std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(STDOUT_FILENO, text.data(), text.size());
    if (count < 0 && errno != EINTR) return;  // nobody reads it: no reason to stop the training
    if (count > 0) text.remove_prefix(static_cast<std::size_t>(count));
  }
}

}  // namespace

void say(std::string line) {
  line += '\n';
  if (is_terminal()) line.insert(0, clear_line);
  write_all(line);
}

void say_for_now(std::string line) {
  line.insert(0, clear_line);
  write_all(line);
}

bool is_terminal() {
  static const bool result = ::isatty(STDOUT_FILENO) == 1;
  return result;
}

}  // namespace two_workers
