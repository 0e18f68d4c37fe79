// SPDX-License-Identifier: Apache-2.0
// Putting a trailer behind the payload in a container that grows.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <ranges>
#include <span>

#include "gradtail/bytes.hpp"
#include "gradtail/export.hpp"
#include "gradtail/metadata.hpp"
#include "gradtail/result.hpp"
#include "gradtail/write.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {

/// A container of bytes that grows and shrinks: std::vector of char, unsigned char or std::byte,
/// std::string, with any allocator, and others of that shape.
template <class C>
concept ByteContainer = ByteRange<C> && requires(C& container, std::size_t size) {
  container.resize(size);
  container.reserve(size);
  { container.capacity() } -> std::convertible_to<std::size_t>;
};

namespace detail {

/// Appends to a container that has to grow. Writes the trailer elsewhere first: growing may move
/// the device map, and a failed write must leave the buffer as it is.
template <ByteContainer C>
[[nodiscard]] Result<std::size_t> append_growing(C& buffer, const AutogradMetadata& metadata) {
  const std::size_t payload_size = std::ranges::size(buffer);
  std::array<std::byte, max_trailer_size> trailer;  // NOLINT: only the part that is written is read
  const Result<std::size_t> size = gradtail::write_trailer(trailer, metadata, payload_size);
  if (!size) return size;
  const std::size_t message_size = payload_size + *size;
  std::size_t spare = message_size / 8;
  if constexpr (requires { buffer.max_size(); }) {
    spare = std::min<std::size_t>(spare, buffer.max_size() - message_size);
  }
  buffer.reserve(message_size + spare);
  buffer.resize(message_size);
  std::memcpy(detail::writable(buffer).data() + payload_size, trailer.data(), *size);
  return size;
}

}  // namespace detail

/// Appends the metadata's trailer to a buffer that holds the payload, and returns the number of
/// bytes appended. Without spare capacity the buffer reallocates once, which copies the payload:
/// reserve `payload + max_trailer_size` beforehand to avoid it. It asks for one eighth more than
/// the message, as far as the buffer's max_size() goes, so that a batch of messages in one buffer
/// takes linear time, while a large message doesn't double its memory; containers may round that
/// up, as std::string does.
/// Errors, with the buffer unchanged: invalid (values: the field; AutogradMetadata lists the
/// ranges). Offset: the payload's size. Exceptions of the buffer's allocator pass through, also
/// with the buffer unchanged. The metadata's device map may even be in the buffer.
template <ByteContainer C>
[[nodiscard]] Result<std::size_t> append(C& buffer, const AutogradMetadata& metadata) {
  const std::size_t payload_size = std::ranges::size(buffer);
  const std::size_t size = gradtail::trailer_size(metadata);
  if (buffer.capacity() - payload_size < size) return detail::append_growing(buffer, metadata);
  buffer.resize(payload_size + size);
  const std::span room = detail::writable(buffer).subspan(payload_size);
  if (detail::try_write(room, metadata, payload_size) != 0) return size;
  buffer.resize(payload_size);
  return detail::write_error(metadata, payload_size);
}

}  // namespace GRADTAIL_ABI
}  // namespace gradtail
