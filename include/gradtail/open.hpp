// SPDX-License-Identifier: Apache-2.0
// Reading a message that lies in one piece.
//
//     message
//     |<-------------------------- any bytes, untrusted ------------------------->|
//     +-----------------------+-------------------------------+-------------------+
//     | payload               | table                         | footer            |
//     +-----------------------+-------------------------------+-------------------+
//     |<----- payload() ----->|<------------------ trailer() -------------------->|
//                                      metadata() is read from here
#pragma once

#include <cstddef>
#include <ranges>
#include <span>
#include <type_traits>

#include "gradtail/bytes.hpp"
#include "gradtail/export.hpp"
#include "gradtail/metadata.hpp"
#include "gradtail/result.hpp"
#include "gradtail/wire.hpp"

namespace gradtail {
inline namespace v0 {

namespace detail {
struct Filler;
}  // namespace detail

/// A trailer that has passed every check. Borrows: the device map and `trailer()` point into the
/// memory where the trailer was read.
class TrailerView {
 public:
  /// No trailer: no metadata, no bytes.
  TrailerView() = default;
  /// For the library's own readers.
  TrailerView(const AutogradMetadata& metadata, std::span<const std::byte> trailer) noexcept
      : metadata_(metadata), trailer_(trailer) {}

  /// What the sender said. Every value is in the range that AutogradMetadata gives.
  [[nodiscard]] const AutogradMetadata& metadata() const noexcept { return metadata_; }

  /// The trailer's bytes as they came, for forwarding, logging and other languages. To compare
  /// messages, compare metadata: other layouts of the same metadata are legal.
  [[nodiscard]] std::span<const std::byte> trailer() const noexcept { return trailer_; }

 private:
  friend struct detail::Filler;

  AutogradMetadata metadata_;
  std::span<const std::byte> trailer_;
};

/// A message whose trailer has passed every check. Borrows all of it from the bytes given to
/// `open`, which must outlive it and not change. Cheap to copy.
class MessageView : public TrailerView {
 public:
  /// No message: no metadata, no bytes.
  MessageView() = default;
  /// For the library's own readers.
  MessageView(const TrailerView& trailer, std::size_t message_size) noexcept
      : TrailerView(trailer), message_size_(message_size) {}

  /// The bytes before the trailer, never read by gradtail. May end in a trailer of its own.
  [[nodiscard]] std::span<const std::byte> payload() const noexcept {
    const std::size_t size = message_size_ - trailer().size();
    return {trailer().data() - size, size};
  }

 private:
  std::size_t message_size_ = 0;
};

static_assert(std::is_trivially_copyable_v<TrailerView>);
static_assert(std::is_trivially_copyable_v<MessageView>);

namespace detail {

/// As open, below. Not an overload of it: what converts to a span may own its bytes.
[[nodiscard]] GRADTAIL_API Result<MessageView> open_bytes(std::span<const std::byte> message,
                                                          Limits limits) noexcept;

}  // namespace detail

/// Takes exactly one trailer, the outermost, off a message of which nothing is trusted.
/// Total: any bytes, any length and any alignment give a view or an error. Nothing outside of
/// `message` is read, nothing of the payload is read, work is bounded by the trailer's size.
/// Errors, the first that applies, with the offset in `message`: absent (no magic), unsupported
/// (version, required_flags, identifier), corrupt (trailer_size, checksum), too_large (limit),
/// invalid (layout, or values with the field).
/// Cost: nanoseconds, whatever the payload's size. No allocation.
/// Takes any contiguous bytes that outlive the expression: std::span<const std::byte>,
/// std::string_view, std::vector<char>&, and arrays, which are taken whole.
template <BorrowedBytes R>
[[nodiscard]] Result<MessageView> open(R&& message, Limits limits = {}) noexcept {
  return detail::open_bytes(detail::readable(message), limits);
}

/// A view into a temporary that owns its bytes would dangle.
template <ByteRange R>
requires(!std::ranges::borrowed_range<R>) Result<MessageView> open(R&& message, Limits limits = {})
= delete;

}  // namespace v0
}  // namespace gradtail
