// SPDX-License-Identifier: Apache-2.0
// Random tables near enough to valid ones that every rule of FORMAT.md is met and broken often.
#pragma once

#include <span>
#include <vector>

#include "random.hpp"
#include "reference.hpp"

class Tables {
 public:
  static constexpr std::size_t max_size = 1024;

  Tables();

  /// Draws a table into `to`, which has room for max_size bytes, and returns its size: a multiple
  /// of 8, 16 or more. Its identifier is right.
  std::size_t draw(Random& random, std::byte* to) const;

 private:
  std::size_t draw_canonical(Random& random, std::byte* to) const;

  std::vector<reference::Bytes> usual_;  ///< canonical tables of every set of fields
  std::vector<reference::Bytes> large_;  ///< with maps of about 128 pairs
};
