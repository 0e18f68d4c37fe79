// SPDX-License-Identifier: Apache-2.0
// Reads four measurements and a species per line; says which line is wrong.
#include "iris.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace two_workers {

namespace {

constexpr std::string_view header = "sepal_length,sepal_width,petal_length,petal_width,species";
constexpr std::array<std::string_view, class_count> species{"setosa", "versicolor", "virginica"};

// Takes the text up to the next comma off the line.
std::string_view next_cell(std::string_view& line) {
  const std::size_t end = std::min(line.find(','), line.size());
  const std::string_view cell = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return cell;
}

double parse_number(std::string_view cell) {
  double number = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), number);
  if (error != std::errc{} || end != cell.data() + cell.size() || !std::isfinite(number)) {
    throw std::runtime_error("'" + std::string(cell) + "' is not a number");
  }
  return number;
}

double parse_species(std::string_view cell) {
  const auto found = std::ranges::find(species, cell);
  if (found == species.end()) {
    throw std::runtime_error("'" + std::string(cell) +
                             "' is none of setosa, versicolor, virginica");
  }
  return static_cast<double>(found - species.begin());
}

void parse_line(std::string_view line, Flowers& flowers) {
  for (std::size_t i = 0; i < feature_count; ++i) {
    flowers.features.values.push_back(parse_number(next_cell(line)));
  }
  flowers.labels.push_back(parse_species(line));
  ++flowers.features.rows;
}

void standardise(Matrix& features) {
  const auto count = static_cast<double>(features.rows);
  for (std::size_t column = 0; column < features.columns; ++column) {
    double sum = 0;
    double squares = 0;
    for (std::size_t r = 0; r < features.rows; ++r) sum += features.row(r)[column];
    const double mean = sum / count;
    for (std::size_t r = 0; r < features.rows; ++r) {
      double& value = features.row(r)[column];
      value -= mean;
      squares += value * value;
    }
    const double deviation = squares > 0 ? std::sqrt(squares / count) : 1;
    for (std::size_t r = 0; r < features.rows; ++r) features.row(r)[column] /= deviation;
  }
}

}  // namespace

Flowers read_iris(const std::filesystem::path& file) {
  std::ifstream stream(file);
  if (!stream) {
    throw std::runtime_error("can't open the data, " + file.string() + ": give --data FILE");
  }
  Flowers flowers{Matrix(0, feature_count), {}};
  std::size_t line_number = 0;
  for (std::string line; std::getline(stream, line);) {
    ++line_number;
    if (line.ends_with('\r')) line.pop_back();
    try {
      if (line_number > 1) {
        parse_line(line, flowers);
      } else if (line != header) {
        throw std::runtime_error("the header is not '" + std::string(header) + "'");
      }
    } catch (const std::runtime_error& error) {
      throw std::runtime_error(file.string() + ":" + std::to_string(line_number) + ": " +
                               error.what());
    }
  }
  if (flowers.labels.empty()) throw std::runtime_error(file.string() + " has no data");
  standardise(flowers.features);
  return flowers;
}

Flowers pick(const Flowers& flowers, std::span<const std::size_t> numbers) {
  Flowers picked{Matrix(numbers.size(), flowers.features.columns), {}};
  const MatrixView features = flowers.features;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    std::ranges::copy(features.row(numbers[i]), picked.features.row(i).begin());
    picked.labels.push_back(flowers.labels[numbers[i]]);
  }
  return picked;
}

}  // namespace two_workers
