// SPDX-License-Identifier: Apache-2.0
// Reading a message that lies in pieces: slices, iovecs, frames, a chain of buffers.
//
//     segment 0           segment 1      segment 2            segment 3
//     +------------------+--------------+--------------------+----------+
//     | payload ...      | ... payload  | ... payload | trailer ...     |
//     +------------------+--------------+--------------------+----------+
//                                                     |<- gathered ->|  only where it straddles
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <iterator>
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
inline namespace v0 {

namespace detail {

/// Is an lvalue, or of a size that can only refer to bytes, not hold them.
template <class S>
concept Lasting = std::is_lvalue_reference_v<S> ||
    (std::is_trivially_copyable_v<S> && sizeof(S) <= 4 * sizeof(void*));

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

}  // namespace detail

/// One piece of a message: contiguous bytes (std::span, std::string, std::vector<char>), something
/// with data() and size() such as asio::const_buffer, or something with iov_base and iov_len.
template <class S>
concept Segment = BorrowedBytes<S> ||
    (detail::Lasting<S> && (detail::DataAndSize<S> || detail::IoVector<S>));

/// The pieces of a message, in order: any range of segments that can be walked twice.
template <class R>
concept SegmentRange = std::ranges::forward_range<R> && Segment<std::ranges::range_reference_t<R>>;

namespace detail {

/// The segment's bytes. No copy.
template <Segment S>
[[nodiscard]] std::span<const std::byte> segment_bytes(S&& segment) {
  if constexpr (ByteRange<S>) {
    return readable(segment);
  } else if constexpr (DataAndSize<S>) {
    return {static_cast<const std::byte*>(static_cast<const void*>(segment.data())),
            segment.size()};
  } else {
    return {static_cast<const std::byte*>(static_cast<const void*>(segment.iov_base)),
            segment.iov_len};
  }
}

/// Bytes of all segments together, and the last of them.
template <class R>
[[nodiscard]] std::size_t total_size(R& segments, std::span<const std::byte>& last) {
  std::size_t total = 0;
  for (auto&& segment : segments) {
    last = segment_bytes(segment);
    total += last.size();
  }
  return total;
}

/// `size` bytes from `offset` on, which are there: in place where one segment holds them all, else
/// copied to the front of `gathered`, which has room.
template <class R>
[[nodiscard]] std::span<const std::byte> slice(R& segments, std::size_t offset, std::size_t size,
                                               std::span<std::byte> gathered) {
  std::size_t copied = 0;
  for (auto&& segment : segments) {
    std::span<const std::byte> bytes = segment_bytes(segment);
    if (offset >= bytes.size()) {
      offset -= bytes.size();
      continue;
    }
    bytes = bytes.subspan(std::exchange(offset, 0));
    if (copied == 0 && bytes.size() >= size) return bytes.first(size);
    const std::size_t part = std::min(bytes.size(), size - copied);
    std::memcpy(gathered.data() + copied, bytes.data(), part);
    copied += part;
    if (copied == size) break;
  }
  return gathered.first(copied);
}

/// The checks up to the limit, on the message's last 16 bytes (all of a shorter one). Returns the
/// size of the trailer. Errors as `open`.
[[nodiscard]] GRADTAIL_API Result<std::size_t> locate_trailer(std::span<const std::byte> tail,
                                                              std::size_t message_size,
                                                              Limits limits) noexcept;

/// The checks from the checksum on, on the located trailer. Errors as `open`.
[[nodiscard]] GRADTAIL_API Result<TrailerView> read_trailer(std::span<const std::byte> trailer,
                                                            std::size_t payload_size) noexcept;

/// All checks at once, where a trailer of a usual layout lies whole in the last segment, `last`.
/// False where it doesn't, or anything is wrong: then the other two tell what.
[[nodiscard]] GRADTAIL_API bool open_last(std::span<const std::byte> last, std::size_t message_size,
                                          Limits limits, TrailerView& view) noexcept;

}  // namespace detail

/// The payload of a segmented message: a forward range of std::span<const std::byte>, one for each
/// segment that it lies in, none of them empty, the last one cut where the trailer begins. Borrows
/// the segments.
template <std::forward_iterator I>
class PayloadSegments {
 public:
  class Iterator {
   public:
    using value_type = std::span<const std::byte>;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    Iterator(I segment, std::size_t remaining) : segment_(segment), remaining_(remaining) {
      pass_empty();
    }

    value_type operator*() const {
      const value_type bytes = detail::segment_bytes(*segment_);
      return bytes.first(std::min(bytes.size(), remaining_));
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

    I segment_{};
    std::size_t remaining_ = 0;
  };

  /// For the library's own readers: `size` bytes from `first` on.
  PayloadSegments(I first, std::size_t size) : first_(first), size_(size) {}

  [[nodiscard]] Iterator begin() const { return {first_, size_}; }
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

 private:
  I first_;
  std::size_t size_;
};

/// A message in segments whose trailer has passed every check. Borrows the payload from the
/// segments, and the device map and `trailer()` from the segments or the scratch: all of them must
/// outlive it and not change. Cheap to copy.
template <std::forward_iterator I>
class SegmentedMessageView : public TrailerView {
 public:
  /// For the library's own readers, who set the rest.
  SegmentedMessageView(I first, std::size_t message_size)
      : first_(first), message_size_(message_size) {}

  /// Bytes of the payload, all segments together.
  [[nodiscard]] std::size_t payload_size() const noexcept {
    return message_size_ - trailer().size();
  }

  /// The payload where it lies, never read by gradtail: a range of std::span<const std::byte>.
  [[nodiscard]] PayloadSegments<I> payload() const { return {first_, payload_size()}; }

 private:
  I first_;
  std::size_t message_size_;
};

namespace detail {

/// The checks one after the other, for a trailer that straddles segments or isn't a usual one.
template <class R, class I>
void open_gathered(R& segments, TrailerScratch& scratch, std::size_t message_size, Limits limits,
                   Result<SegmentedMessageView<I>>& view) {
  const std::size_t tail_size = std::min(message_size, footer_size);
  std::array<std::byte, footer_size> gathered;
  const std::span tail = slice(segments, message_size - tail_size, tail_size, gathered);
  const Result<std::size_t> size = locate_trailer(tail, message_size, limits);
  if (!size) {
    view = size.error();
    return;
  }
  const std::size_t payload_size = message_size - *size;
  const std::span trailer = slice(segments, payload_size, *size, scratch.memory());
  if (trailer.size() != *size) {  // segments that shrink as they are walked
    view = Error{Code::corrupt, Check::trailer_size, Field::none, payload_size};
    return;
  }
  const Result<TrailerView> read = read_trailer(trailer, payload_size);
  if (read) {
    static_cast<TrailerView&>(*view) = *read;
  } else {
    view = read.error();
  }
}

}  // namespace detail

/// Takes exactly one trailer, the outermost, off a message in segments. The same promises, checks
/// and errors as for one span, whatever the cuts; offsets count from the first segment's first
/// byte. Only a trailer that straddles segments is copied, into the scratch; one larger than the
/// scratch is refused as too_large. Cost: that of `open` on one span, and a walk over the segments'
/// sizes. No allocation.
template <SegmentRange R>
requires(std::ranges::borrowed_range<R>)
    [[nodiscard]] Result<SegmentedMessageView<std::ranges::iterator_t<R>>> open(
        R&& segments, TrailerScratch& scratch, Limits limits = {}) {
  limits.trailer_size = std::min(limits.trailer_size, scratch.memory().size());
  std::span<const std::byte> last;
  const std::size_t message_size = detail::total_size(segments, last);
  Result<SegmentedMessageView<std::ranges::iterator_t<R>>> view(
      std::in_place, std::ranges::begin(segments), message_size);
  if (!detail::open_last(last, message_size, limits, *view)) {
    detail::open_gathered(segments, scratch, message_size, limits, view);
  }
  return view;
}

/// A view into a temporary range of segments would dangle.
template <SegmentRange R>
requires(!std::ranges::borrowed_range<R>) void open(R&& segments, TrailerScratch& scratch,
                                                    Limits limits = {}) = delete;

}  // namespace v0
}  // namespace gradtail

/// Its iterators outlive it: open(message->payload(), scratch) takes the next trailer off.
template <std::forward_iterator I>
inline constexpr bool std::ranges::enable_borrowed_range<gradtail::PayloadSegments<I>> = true;
