// SPDX-License-Identifier: Apache-2.0
// std::format of what has a to_string, if the standard library has <format>.
#pragma once

#include <version>

#include "gradtail/export.hpp"

#ifdef __cpp_lib_format

#include <format>
#include <string>
#include <string_view>

#include "gradtail/error.hpp"
#include "gradtail/metadata.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail {

/// Formats the text of a value, with the options of strings.
template <class T>
struct TextFormatter : std::formatter<std::string_view> {
  template <class Context>
  auto format(const T& value, Context& context) const {
    const std::string text(to_string(value));
    return std::formatter<std::string_view>::format(text, context);
  }
};

}  // namespace detail
}  // namespace GRADTAIL_ABI
}  // namespace gradtail

template <>
struct std::formatter<gradtail::Error> : gradtail::detail::TextFormatter<gradtail::Error> {};
template <>
struct std::formatter<gradtail::Code> : gradtail::detail::TextFormatter<gradtail::Code> {};
template <>
struct std::formatter<gradtail::Check> : gradtail::detail::TextFormatter<gradtail::Check> {};
template <>
struct std::formatter<gradtail::Field> : gradtail::detail::TextFormatter<gradtail::Field> {};
template <>
struct std::formatter<gradtail::Device> : gradtail::detail::TextFormatter<gradtail::Device> {};
template <>
struct std::formatter<gradtail::AutogradMetadata>
    : gradtail::detail::TextFormatter<gradtail::AutogradMetadata> {};

#endif
