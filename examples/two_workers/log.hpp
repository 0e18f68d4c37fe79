// SPDX-License-Identifier: Apache-2.0
// Lines on standard output, which both processes share.
#pragma once

#include <string>

namespace two_workers {

/// Prints one line, in one write, so that the lines of the two processes don't mix. On a terminal
/// it takes the place of a progress line.
void say(std::string line);

/// Prints a line that the next one replaces. For terminals.
void say_for_now(std::string line);

[[nodiscard]] bool is_terminal();

}  // namespace two_workers
