// SPDX-License-Identifier: Apache-2.0
// Reading a message that is in pieces: slices, iovecs, frames, a chain of buffers.
//
//     segment 0           segment 1      segment 2            segment 3
//     +------------------+--------------+--------------------+----------+
//     | payload ...      | ... payload  | ... payload | trailer ...     |
//     +------------------+--------------+--------------------+----------+
//                                                     |<- gathered ->|  only if it straddles
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <limits>
#include <memory>
#include <ranges>
#include <span>
#include <type_traits>
#include <utility>

#include "gradtail/bytes.hpp"
#include "gradtail/export.hpp"
#include "gradtail/open.hpp"
#include "gradtail/result.hpp"
#include "gradtail/scratch.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail {

/// The number of bytes in all segments together, and the last segment. The largest std::size_t if
/// there are more: no object is that large, so such segments alias each other.
template <class R>
[[nodiscard]] std::size_t total_size(R& segments, std::span<const std::byte>& last) {
  constexpr std::size_t most = (std::numeric_limits<std::size_t>::max)();
  std::size_t total = 0;
  for (auto&& segment : segments) {
    last = detail::segment_bytes(segment);
    total += (std::min)(last.size(), most - total);
  }
  return total;
}

/// `size` bytes from `offset` on: in place if one segment has them all, or else copied to the front
/// of `memory`, which has room. Fewer if the segments have shrunk since they were counted.
template <class R>
[[nodiscard]] std::span<const std::byte> slice(R& segments, std::size_t offset, std::size_t size,
                                               std::span<std::byte> memory) {
  std::size_t copied = 0;
  for (auto&& segment : segments) {
    std::span<const std::byte> bytes = detail::segment_bytes(segment);
    if (offset >= bytes.size()) {
      offset -= bytes.size();
      continue;
    }
    bytes = bytes.subspan(std::exchange(offset, 0));
    if (copied == 0 && bytes.size() >= size) return bytes.first(size);
    const std::size_t part = (std::min)(bytes.size(), size - copied);
    std::memcpy(memory.data() + copied, bytes.data(), part);
    copied += part;
    if (copied == size) break;
  }
  return memory.first(copied);
}

/// The same for segments whose type the caller doesn't know: for Message::gather.
template <class R>
[[nodiscard]] std::span<const std::byte> slice_of(const void* segments, std::size_t offset,
                                                  std::size_t size, std::span<std::byte> memory) {
  return detail::slice(*const_cast<R*>(static_cast<const R*>(segments)), offset, size, memory);
}

}  // namespace detail

/// The payload of a segmented message: a forward range of std::span<const std::byte>, one for each
/// segment that has any of it. No span is empty, and the last one ends where the trailer begins.
/// Borrows the segments.
template <std::forward_iterator It>
class PayloadSegments {
 public:
  class Iterator {
   public:
    using value_type = std::span<const std::byte>;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    Iterator(It segment, std::size_t remaining) : segment_(segment), remaining_(remaining) {
      pass_empty();
    }

    value_type operator*() const {
      const value_type bytes = detail::segment_bytes(*segment_);
      return bytes.first((std::min)(bytes.size(), remaining_));
    }
    Iterator& operator++() {
      remaining_ -= (**this).size();
      ++segment_;
      pass_empty();
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(const Iterator&, const Iterator&) = default;
    friend bool operator==(const Iterator& at, std::default_sentinel_t) noexcept {
      return at.remaining_ == 0;
    }

   private:
    void pass_empty() {
      while (remaining_ != 0 && (**this).empty()) ++segment_;
    }

    It segment_{};
    std::size_t remaining_ = 0;
  };

  /// `size` bytes from the segment `first` on, which must have them. Made by `open` and `first`.
  PayloadSegments(It first, std::size_t size) : first_(first), size_(size) {}

  [[nodiscard]] Iterator begin() const { return {first_, size_}; }
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

 private:
  It first_;
  std::size_t size_;
};

/// A message in segments whose trailer has passed every check. Borrows the payload from the
/// segments, and the device map and `trailer()` from the segments or the scratch: all of them must
/// outlive it and not change. Cheap to copy.
template <std::forward_iterator It>
class SegmentedMessageView : public TrailerView {
 public:
  SegmentedMessageView(detail::ParserKey, It first,
                       std::size_t message_size) noexcept(std::is_nothrow_copy_constructible_v<It>)
      : first_(first), message_size_(message_size) {}

  /// Bytes of the payload, all segments together.
  [[nodiscard]] std::size_t payload_size() const noexcept {
    return message_size_ - trailer().size();
  }

  /// The payload where it is, never read by gradtail: a range of std::span<const std::byte>.
  [[nodiscard]] PayloadSegments<It> payload() const { return {first_, payload_size()}; }

 private:
  It first_;
  std::size_t message_size_;
};

/// What opening these segments gives.
template <SegmentRange R>
using OpenedSegments = SegmentedMessageView<std::ranges::iterator_t<R>>;

template <class View, class R>
Result<View> detail::Parser::open_segments(R& segments, TrailerScratch& scratch, Limits limits,
                                           bool is_shared) {
  limits.trailer_size = (std::min)(limits.trailer_size, scratch.memory().size());
  std::span<const std::byte> last;
  const std::size_t size = detail::total_size(segments, last);
  Result<View> result(std::in_place, ParserKey(), std::ranges::begin(segments), size);
  const bool is_countable = size != (std::numeric_limits<std::size_t>::max)();
  if (is_countable && !is_shared && accept_last(last, size, limits, *result)) return result;
  const Message message{.last = last,
                        .size = size,
                        .segments = std::addressof(segments),
                        .gather = detail::slice_of<R>,
                        .is_shared = is_shared};
  const Error error = open_message(message, scratch.memory(), limits, *result);
  if (error != no_error) result = error;
  return result;
}

/// Takes exactly one trailer, the outermost, off a message in segments. The same promises, checks
/// and errors as for one span, whatever the cuts; offsets count from the first segment's first
/// byte. Only a trailer that straddles segments is copied, into the scratch; one larger than the
/// scratch is refused as too_large. Segments of more bytes than a std::size_t counts are refused as
/// too_large (limit), offset 0. Cost: that of `open` on one span, and a walk over the segments'
/// sizes. No allocation.
template <BorrowedSegments R>
[[nodiscard]] Result<OpenedSegments<R>> open(R segments,
                                             TrailerScratch& scratch GRADTAIL_LIFETIMEBOUND,
                                             Limits limits = {}) {
  return detail::Parser::open_segments<OpenedSegments<R>>(segments, scratch, limits, false);
}

/// The same for segments in a container or an array, which must outlive the view.
template <OwningSegments R>
[[nodiscard]] Result<OpenedSegments<R>> open(R& segments GRADTAIL_LIFETIMEBOUND,
                                             TrailerScratch& scratch GRADTAIL_LIFETIMEBOUND,
                                             Limits limits = {}) {
  return detail::Parser::open_segments<OpenedSegments<R>>(segments, scratch, limits, false);
}

/// As `open`, for segments that a peer may still be writing: always copies the trailer to the
/// scratch, and reads only the copy. See open_copy in open.hpp.
template <BorrowedSegments R>
[[nodiscard]] Result<OpenedSegments<R>> open_copy(R segments,
                                                  TrailerScratch& scratch GRADTAIL_LIFETIMEBOUND,
                                                  Limits limits = {}) {
  return detail::Parser::open_segments<OpenedSegments<R>>(segments, scratch, limits, true);
}
template <OwningSegments R>
[[nodiscard]] Result<OpenedSegments<R>> open_copy(R& segments GRADTAIL_LIFETIMEBOUND,
                                                  TrailerScratch& scratch GRADTAIL_LIFETIMEBOUND,
                                                  Limits limits = {}) {
  return detail::Parser::open_segments<OpenedSegments<R>>(segments, scratch, limits, true);
}

/// Deleted: a view into a temporary range of segments would dangle.
template <OwningSegments R>
void open(R&& segments, TrailerScratch& scratch, Limits limits = {}) = delete;
template <OwningSegments R>
void open_copy(R&& segments, TrailerScratch& scratch, Limits limits = {}) = delete;

// clang-format off
/// Deleted: these segments are made on the fly, and their bytes may be gone when the view is used.
/// If the type only points to its bytes, specialize enable_borrowed_segment for it.
template <detail::TemporarySegments R>
void open(R&& segments_of_a_type_that_must_enable_borrowed_segment, TrailerScratch& scratch, Limits limits = {}) = delete;
template <detail::TemporarySegments R>
void open_copy(R&& segments_of_a_type_that_must_enable_borrowed_segment, TrailerScratch& scratch, Limits limits = {}) = delete;
// clang-format on

}  // namespace GRADTAIL_ABI
}  // namespace gradtail

/// Its iterators outlive it: open(message->payload(), scratch) opens the message inside.
template <std::forward_iterator It>
inline constexpr bool std::ranges::enable_borrowed_range<gradtail::PayloadSegments<It>> = true;
