// SPDX-License-Identifier: Apache-2.0
// Text for logs, put together from words and numbers. Out of line: it should be small, not fast.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gradtail/export.hpp"

namespace gradtail::inline GRADTAIL_ABI::detail {

struct Text {
  std::string text;

  Text& operator<<(std::string_view words);
  Text& operator<<(std::uint64_t number);
  Text& operator<<(std::int64_t number);
};

}  // namespace gradtail::inline GRADTAIL_ABI::detail
