// SPDX-License-Identifier: Apache-2.0
// Text for logs, put together from words and numbers. Out of line: it should be small, not fast.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gradtail/export.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail {

struct Text {
  std::string text;

  Text& operator<<(std::string_view words);
  Text& operator<<(std::uint64_t number);
  Text& operator<<(std::int64_t number);
};

}  // namespace detail
}  // namespace GRADTAIL_ABI
}  // namespace gradtail
