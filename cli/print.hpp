// SPDX-License-Identifier: Apache-2.0
// A message taken apart, for people and for programs.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "anatomy.hpp"

namespace gradtail::cli {

/// What was looked at.
struct Subject {
  std::string file;
  std::string encoding;
  std::span<const std::byte> bytes;
};

/// Two hex digits for each byte.
[[nodiscard]] std::string hex_of(std::span<const std::byte> bytes);

/// Lines with offset, bytes, name and meaning of each part, then the verdict. Offsets are those of
/// errors, beside them the distance from the message's end as FORMAT.md gives it.
[[nodiscard]] std::string as_text(const Subject& subject, const Anatomy& anatomy, bool color);

/// One JSON object with a list of trailers, the outermost first.
[[nodiscard]] std::string as_json(const Subject& subject, const std::vector<Anatomy>& anatomies);

}  // namespace gradtail::cli
