// SPDX-License-Identifier: Apache-2.0
// What counts as bytes: contiguous ranges of char, unsigned char or std::byte; and what counts as a
// segment, one of several pieces of a message.
#pragma once

#include <concepts>
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

/// Whether objects of a segment type only point to bytes, which outlive them, so that a range may
/// make them on the fly. Specialize it for such types of your own. Spans, string_views and iovecs
/// don't need it.
template <class S>
inline constexpr bool enable_borrowed_segment = false;

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

template <class P>
concept BytePointer = std::is_pointer_v<P> &&
    (std::is_void_v<std::remove_pointer_t<P>> || Byte<std::remove_pointer_t<P>>);

template <class S>
concept DataAndSize = !std::ranges::range<S> && requires(const std::remove_cvref_t<S>& segment) {
  { segment.data() } -> BytePointer;
  { segment.size() } -> std::convertible_to<std::size_t>;
};

template <class S>
concept IoVector = requires(const std::remove_cvref_t<S>& segment) {
  { segment.iov_base } -> std::convertible_to<const void*>;
  { segment.iov_len } -> std::convertible_to<std::size_t>;
};

/// Something that gives access to contiguous bytes.
template <class S>
concept AnySegment = ByteRange<S> || DataAndSize<S> || IoVector<S>;

/// An iovec points to its bytes; a member of the same name that is an array would hold them, other
/// members may hold them, and a destructor would free them.
template <class S>
concept PointingIoVector = IoVector<S> && std::is_trivially_copyable_v<std::remove_cvref_t<S>> &&
                           std::is_pointer_v<decltype(std::remove_cvref_t<S>::iov_base)> &&
                           sizeof(std::remove_cvref_t<S>) <= sizeof(void*) + sizeof(std::size_t);

/// The segment's bytes outlive the expression that gave the segment.
template <class S>
concept BytesOutliveSegment = std::is_lvalue_reference_v<S> || BorrowedBytes<S> ||
    PointingIoVector<S> || enable_borrowed_segment<std::remove_cvref_t<S>>;

}  // namespace detail

/// One piece of a message: contiguous bytes (std::span, std::string, std::vector<char>), something
/// with data() and size() such as asio::const_buffer, or something with iov_base and iov_len. Made
/// on the fly, as by views::transform, it must be of a borrowing type.
template <class S>
concept Segment = detail::AnySegment<S> && detail::BytesOutliveSegment<S>;

/// The pieces of a message, in order: any range of segments that can be walked twice.
template <class R>
concept SegmentRange = std::ranges::forward_range<R> && Segment<std::ranges::range_reference_t<R>>;

/// Segments in a range that only refers to them: std::span<const iovec>.
template <class R>
concept BorrowedSegments = SegmentRange<R> && std::ranges::borrowed_range<R>;

/// Segments that may go with the range: a vector, a list, an array.
template <class R>
concept OwningSegments = SegmentRange<R> && !std::ranges::borrowed_range<R>;

namespace detail {

/// Segments that are made on the fly and may own their bytes.
template <class R>
concept TemporarySegments = std::ranges::forward_range<R> && !SegmentRange<R> &&
                            AnySegment<std::ranges::range_reference_t<R>>;

/// The segment's bytes. No copy.
template <class S>
[[nodiscard]] std::span<const std::byte> segment_bytes(const S& segment) {
  const auto bytes = [](const void* data, auto size) {
    return std::span(static_cast<const std::byte*>(data), static_cast<std::size_t>(size));
  };
  if constexpr (ByteRange<S>) {
    return detail::readable(segment);
  } else if constexpr (DataAndSize<S>) {
    return bytes(segment.data(), segment.size());
  } else {
    return bytes(segment.iov_base, segment.iov_len);
  }
}

}  // namespace detail
}  // namespace GRADTAIL_ABI
}  // namespace gradtail
