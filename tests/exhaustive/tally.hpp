// SPDX-License-Identifier: Apache-2.0
// What the library answered, counted, and the cases in which it should have answered otherwise.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plain.hpp"

struct Tally {
  static constexpr std::size_t checks = 10;  ///< Check numbers from 1
  static constexpr std::size_t fields = 12;  ///< Field numbers from 1
  static constexpr std::size_t kept_violations = 5;

  std::uint64_t tried = 0;
  std::uint64_t accepted = 0;
  std::array<std::uint64_t, checks> refused{};
  std::array<std::uint64_t, fields> bad_fields{};
  std::array<std::uint64_t, plain::rule_count> broken_rules{};
  std::uint64_t violation_count = 0;
  std::vector<std::string> violations;  ///< the first few, as text

  void count(const std::optional<gradtail::Error>& error, plain::Rule rule = plain::Rule::none) {
    ++tried;
    if (!error) {
      ++accepted;
      return;
    }
    ++refused[static_cast<std::size_t>(error->check)];
    if (error->check == gradtail::Check::values) {
      ++bad_fields[static_cast<std::size_t>(error->field)];
    }
    if (error->check == gradtail::Check::layout) ++broken_rules[rule];
  }

  void violation(const std::string& text);
  void violation(const char* what, plain::Bytes message);  ///< with the message in hex
  void add(const Tally& other);
};

/// One line for each answer that was given, and for those of `violations`.
void print(const char* part, const Tally& tally, double seconds);

/// The answers of random-table that were never given: "layout: root_zero".
[[nodiscard]] std::vector<std::string> never_given(const Tally& tally);
