// SPDX-License-Identifier: Apache-2.0
// Putting a trailer behind the payload in a container that grows.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <ranges>
#include <span>
#include <string>

#include "gradtail/bytes.hpp"
#include "gradtail/metadata.hpp"
#include "gradtail/result.hpp"
#include "gradtail/write.hpp"

namespace gradtail {
inline namespace v0 {

/// A container of bytes that grows and shrinks: std::vector of char, unsigned char or std::byte,
/// std::string, with any allocator, and others of that shape.
template <class C>
concept ByteContainer = ByteRange<C> && requires(C& container, std::size_t size) {
  container.resize(size);
  container.reserve(size);
  { container.capacity() } -> std::convertible_to<std::size_t>;
};

namespace detail {

/// Makes room for `size` bytes and no more, in one allocation. Where it throws, nothing changed.
template <ByteContainer C>
void reserve_exactly(C& container, std::size_t size) {
  container.reserve(size);
}

/// A string's own reserve may double its capacity; that of a new one is exact.
template <class Char, class Traits, class Allocator>
void reserve_exactly(std::basic_string<Char, Traits, Allocator>& text, std::size_t size) {
  std::basic_string<Char, Traits, Allocator> grown(text.get_allocator());
  grown.reserve(size);
  grown.append(text);
  text.swap(grown);
}

/// Adds bytes for which there is room. To insert them spares the zeros that `resize` writes first.
template <ByteContainer C>
void add(C& container, std::span<const std::byte> bytes) {
  const auto* first = reinterpret_cast<const std::ranges::range_value_t<C>*>(bytes.data());
  if constexpr (requires { container.insert(container.end(), first, first); }) {
    container.insert(container.end(), first, first + bytes.size());
  } else {
    container.resize(std::ranges::size(container) + bytes.size());
    std::ranges::copy(bytes, writable(container).last(bytes.size()).data());
  }
}

}  // namespace detail

/// Appends the metadata's trailer to a buffer that holds the payload, and returns the number of
/// bytes appended. Without spare capacity the buffer reallocates once, to the exact size, which
/// copies the payload: reserve `payload + max_trailer_size` beforehand to avoid it.
/// Errors, with the buffer unchanged: invalid (values: the field; AutogradMetadata lists the
/// ranges). Offset: the payload's size. What the buffer's allocator throws passes through, with
/// the buffer unchanged too. The metadata's device map may even lie in the buffer.
template <ByteContainer C>
[[nodiscard]] Result<std::size_t> append(C& buffer, const AutogradMetadata& metadata) {
  const std::size_t payload_size = std::ranges::size(buffer);
  std::array<std::byte, max_trailer_size> trailer;  // NOLINT: the writer writes what is used of it
  const Result<std::size_t> size = write_trailer(trailer, metadata, payload_size);
  if (!size) return size;
  const std::size_t message_size = payload_size + *size;
  if (buffer.capacity() < message_size) detail::reserve_exactly(buffer, message_size);
  detail::add(buffer, std::span(trailer).first(*size));
  return size;
}

}  // namespace v0
}  // namespace gradtail
