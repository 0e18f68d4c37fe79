// SPDX-License-Identifier: Apache-2.0
// Fisher's iris data, read from a CSV file.
#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
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
    const auto wrong = [&](const auto&... what) {
      return std::runtime_error(text(file.string(), ":", line_number, ": ", what...));
    };
    if (line_number == 1) {
      if (line != iris_header) throw wrong("the header is not '", iris_header, "'");
      continue;
    }
    std::istringstream cells(line);
    std::string cell;
    for (int i = 0; i < feature_count; ++i) {
      std::getline(cells, cell, ',');
      std::istringstream number(cell);
      if (!(number >> values.emplace_back()) || !number.eof()) {
        throw wrong("'", cell, "' is not a number");
      }
    }
    std::getline(cells, cell);
    const auto found = std::ranges::find(species, cell);
    if (found == species.end()) {
      throw wrong("'", cell, "' is none of setosa, versicolor, virginica");
    }
    values.push_back(static_cast<double>(found - species.begin()));
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
