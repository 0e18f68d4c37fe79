// SPDX-License-Identifier: Apache-2.0
// Fisher's iris data, read from a CSV file.
#pragma once

#include <filesystem>
#include <span>
#include <vector>

#include "model.hpp"

namespace two_workers {

/// Some flowers: a row of features and a class number for each.
struct Flowers {
  Matrix features;
  std::vector<double> labels;
};

/// Reads the file and brings each feature to mean 0 and standard deviation 1.
/// Throws std::runtime_error that names the file, the line and what is wrong.
[[nodiscard]] Flowers read_iris(const std::filesystem::path& file);

/// Copies of the flowers with these numbers, in this order.
[[nodiscard]] Flowers pick(const Flowers& flowers, std::span<const std::size_t> numbers);

}  // namespace two_workers
