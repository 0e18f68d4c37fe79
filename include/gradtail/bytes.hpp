// SPDX-License-Identifier: Apache-2.0
// What counts as bytes: contiguous ranges of char, unsigned char or std::byte.
#pragma once

#include <cstddef>
#include <ranges>
#include <span>
#include <type_traits>

#include "gradtail/export.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {

/// A type that is a byte, const or not.
template <class T>
concept Byte = (std::is_same_v<const T, const char> ||
                std::is_same_v<const T, const unsigned char> ||
                std::is_same_v<const T, const std::byte>);

/// Contiguous bytes: std::vector<char>, std::string, std::span<const std::byte>, char[64]. They
/// can be read while the range is const.
template <class R>
concept ByteRange = std::ranges::contiguous_range<R> && std::ranges::sized_range<R> &&
    std::ranges::contiguous_range<const std::remove_reference_t<R>> &&
    Byte<std::remove_reference_t<std::ranges::range_reference_t<R>>>;

/// Contiguous bytes that stay when the expression ends: an lvalue, a span, a string_view.
template <class R>
concept BorrowedBytes = ByteRange<R> && std::ranges::borrowed_range<R>;

/// Contiguous bytes that may go with the object: a vector, a string, an array.
template <class R>
concept OwningBytes = ByteRange<R> && !std::ranges::borrowed_range<R>;

namespace detail {

/// The range as bytes to read. No copy.
template <ByteRange R>
[[nodiscard]] std::span<const std::byte> readable(const R& range) noexcept {
  return std::as_bytes(std::span(std::ranges::data(range), std::ranges::size(range)));
}

/// The range as bytes to write. No copy.
template <ByteRange R>
[[nodiscard]] std::span<std::byte> writable(R& range) noexcept {
  return std::as_writable_bytes(std::span(std::ranges::data(range), std::ranges::size(range)));
}

}  // namespace detail
}  // namespace GRADTAIL_ABI
}  // namespace gradtail
