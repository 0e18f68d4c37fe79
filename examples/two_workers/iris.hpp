// SPDX-License-Identifier: Apache-2.0
// Fisher's iris data, read from a CSV file.
#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "program.hpp"

namespace two_workers {

/// Row after row, as in a payload.
using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

inline constexpr int feature_count = 4;
inline constexpr int class_count = 3;

/// Some flowers: a row of features and a class number for each.
struct Flowers {
  Matrix features;
  Eigen::VectorXd labels;
};

inline constexpr const char* iris_header =
    "sepal_length,sepal_width,petal_length,petal_width,species";
inline constexpr std::array species{"setosa", "versicolor", "virginica"};

// The features and the number of the species.
inline std::array<double, feature_count + 1> parse_line(const std::string& line) {
  std::array<double, feature_count + 1> values{};
  std::istringstream cells(line);
  std::string cell;
  for (std::size_t i = 0; i < feature_count; ++i) {
    std::getline(cells, cell, ',');
    const char* end = cell.data() + cell.size();
    const auto [stop, error] = std::from_chars(cell.data(), end, values[i]);
    if (error != std::errc{} || stop != end || !std::isfinite(values[i])) {
      throw std::runtime_error(text("'", cell, "' is not a number"));
    }
  }
  std::getline(cells, cell);
  const auto found = std::ranges::find(species, cell);
  if (found == species.end()) {
    throw std::runtime_error(text("'", cell, "' is none of setosa, versicolor, virginica"));
  }
  values.back() = static_cast<double>(found - species.begin());
  return values;
}

/// Reads the file and brings each feature to mean 0 and standard deviation 1. Throws
/// std::runtime_error that names the file, the line and what is wrong, also where there are fewer
/// than `least` flowers.
[[nodiscard]] inline Flowers read_iris(const std::filesystem::path& file, std::int64_t least) {
  std::ifstream stream(file);
  if (!stream) throw std::runtime_error(text("can't open the data, ", file, ": give --data FILE"));
  std::vector<double> values;
  std::int64_t line_number = 0;
  for (std::string line; std::getline(stream, line);) {
    ++line_number;
    if (line.ends_with('\r')) line.pop_back();
    try {
      if (line_number == 1 && line != iris_header) {
        throw std::runtime_error(text("the header is not '", iris_header, "'"));
      }
      if (line_number > 1) std::ranges::copy(parse_line(line), std::back_inserter(values));
    } catch (const std::runtime_error& error) {
      throw std::runtime_error(text(file.string(), ":", line_number, ": ", error.what()));
    }
  }
  const std::int64_t rows = std::max<std::int64_t>(line_number - 1, 0);
  if (rows < std::max<std::int64_t>(least, 1)) {
    throw std::runtime_error(text(file.string(), " has only ", rows, " flowers; ",
                                  std::max<std::int64_t>(least, 1), " are needed"));
  }
  const Eigen::Map<const Matrix> all(values.data(), rows, feature_count + 1);
  Flowers flowers{all.leftCols(feature_count), all.col(feature_count)};
  Matrix& features = flowers.features;
  features.rowwise() -= features.colwise().mean().eval();
  const Eigen::RowVectorXd deviation = features.array().square().colwise().mean().sqrt();
  features.array().rowwise() /= (deviation.array() > 0).select(deviation.array(), 1.0);
  return flowers;
}

}  // namespace two_workers
