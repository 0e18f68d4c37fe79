// SPDX-License-Identifier: Apache-2.0
// What ends the program with exit status 2: wrong arguments, files that can't be read.
#pragma once

#include <stdexcept>

namespace gradtail::cli {

/// A sentence that says what to do next.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Exit statuses.
inline constexpr int accepted = 0;
inline constexpr int refused = 1;
inline constexpr int failed = 2;

}  // namespace gradtail::cli
