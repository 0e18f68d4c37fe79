// SPDX-License-Identifier: Apache-2.0
// Reading a message that is in one piece, or a trailer that travels by itself.
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
#include <cstdint>
#include <optional>
#include <ranges>
#include <span>
#include <type_traits>

#include "gradtail/bytes.hpp"
#include "gradtail/export.hpp"
#include "gradtail/metadata.hpp"
#include "gradtail/result.hpp"
#include "gradtail/scratch.hpp"
#include "gradtail/wire.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {

namespace detail {

class Parser;

/// Means success: no Code is 0. An Error fits into two registers and std::optional<Error> doesn't,
/// which would cost a fifth to two fifths of the time of an early rejection.
inline constexpr Error no_error{Code{}, Check{}};

/// Only the parser can make one, so only the parser can make views that hold anything.
class ParserKey {
  friend class Parser;
  ParserKey() = default;
};

}  // namespace detail

/// A trailer that has passed every check. Borrows: the device map and `trailer()` point into the
/// memory where the trailer was read.
class TrailerView {
 public:
  /// No trailer: no metadata, no bytes.
  TrailerView() = default;
  TrailerView(detail::ParserKey, const AutogradMetadata& metadata,
              std::span<const std::byte> trailer) noexcept
      : metadata_(metadata), trailer_(trailer) {}

  /// What the sender said. Every value is in the range that AutogradMetadata gives.
  [[nodiscard]] const AutogradMetadata& metadata() const& noexcept GRADTAIL_LIFETIMEBOUND {
    return metadata_;
  }
  /// For a temporary view: a copy, so that no reference outlives it.
  [[nodiscard]] AutogradMetadata metadata() const&& noexcept { return metadata_; }

  /// Whether the trailer stores a field that this version of the library doesn't know, from a newer
  /// sender. A proxy that writes a new trailer from metadata() would lose it: forward the message
  /// as it is, or refuse it. Looks at the bytes of trailer() when called. No allocation.
  [[nodiscard]] GRADTAIL_API bool has_unknown_fields() const noexcept;

  /// The trailer's bytes as they came, for forwarding, logging and other languages. To compare
  /// messages, compare metadata: other layouts of the same metadata are legal.
  [[nodiscard]] std::span<const std::byte> trailer() const noexcept { return trailer_; }

 private:
  friend class detail::Parser;

  AutogradMetadata metadata_;
  std::span<const std::byte> trailer_;
};

/// A message whose trailer has passed every check. Borrows the payload from the bytes given to
/// `open`, and the device map and `trailer()` from the same bytes or, after `open_copy`, from the
/// scratch. All of that must outlive it and not change. Cheap to copy.
class MessageView : public TrailerView {
 public:
  /// No message: no metadata, no bytes.
  MessageView() = default;
  MessageView(detail::ParserKey key, const AutogradMetadata& metadata,
              std::span<const std::byte> trailer, std::span<const std::byte> payload) noexcept
      : TrailerView(key, metadata, trailer), payload_(payload) {}

  /// The bytes before the trailer, never read by gradtail. May end in a trailer of its own.
  [[nodiscard]] std::span<const std::byte> payload() const noexcept { return payload_; }

  /// Bytes of the payload.
  [[nodiscard]] std::size_t payload_size() const noexcept { return payload_.size(); }

 private:
  std::span<const std::byte> payload_;
};

static_assert(std::is_trivially_copyable_v<TrailerView>);
static_assert(std::is_trivially_copyable_v<MessageView>);

namespace detail {

/// A message as the parser sees it: its last piece, and a function that gets the bytes before it.
struct Message {
  std::span<const std::byte> last;  ///< the last segment; of one span, all of it
  std::size_t size;                 ///< bytes of all segments; of a detached trailer, its own
  const void* segments = nullptr;
  /// Returns `count` bytes from `offset` on: in place if one segment has them all, or else copied
  /// to `memory`.
  std::span<const std::byte> (*gather)(const void* segments, std::size_t offset, std::size_t count,
                                       std::span<std::byte> memory) = nullptr;
  std::optional<std::uint64_t> detached_payload_size = {};  ///< set for a detached trailer
  bool is_shared = false;  ///< a peer may be writing: check a copy in the scratch
  bool is_new = false;     ///< the fast path hasn't seen it

  /// Returns `count` bytes from `offset` on, or fewer if the segments have shrunk.
  [[nodiscard]] std::span<const std::byte> bytes(std::size_t offset, std::size_t count,
                                                 std::span<std::byte> memory) const;
};

/// The parser, the only maker of views. Each function returns an error or a view, and throws only
/// what `gather` throws.
class Parser {
 public:
  [[nodiscard]] GRADTAIL_API static Result<MessageView> open(std::span<const std::byte> message,
                                                             Limits limits) noexcept;
  [[nodiscard]] GRADTAIL_API static Result<MessageView> open_copy(
      std::span<const std::byte> message, std::span<std::byte> scratch, Limits limits) noexcept;
  /// Opens, then moves the trailer to the scratch: for `strip`.
  [[nodiscard]] GRADTAIL_API static Result<TrailerView> open_into(
      std::span<const std::byte> message, std::span<std::byte> scratch, Limits limits) noexcept;
  [[nodiscard]] GRADTAIL_API static Result<TrailerView> open_trailer(
      std::span<const std::byte> trailer, std::uint64_t payload_size, Limits limits) noexcept;
  [[nodiscard]] GRADTAIL_API static Result<std::size_t> peek(std::span<const std::byte> tail,
                                                             std::size_t message_size,
                                                             Limits limits) noexcept;

  /// Defined in segments.hpp.
  template <class View, class R>
  [[nodiscard]] static Result<View> open_segments(R& segments, TrailerScratch& scratch,
                                                  Limits limits, bool is_shared);

  /// Makes the nine checks, on any message with any layout. Fills the view and returns no_error, or
  /// returns an error. With `peeked_size`, stops after check 5 and stores the trailer's size there.
  [[nodiscard]] static Error parse(const Message& message, std::span<std::byte> scratch,
                                   Limits limits, TrailerView& view,
                                   std::size_t* peeked_size = nullptr);

 private:
  /// Whether the fast path accepts a trailer that is whole in the last segment.
  [[nodiscard]] GRADTAIL_API static bool accept_last(std::span<const std::byte> last,
                                                     std::size_t message_size, Limits limits,
                                                     TrailerView& view) noexcept;
  /// Opens what accept_last has declined, and the two kinds of messages that it must not be given:
  /// shared ones, and segments too large to count.
  [[nodiscard]] GRADTAIL_API static Error open_message(const Message& message,
                                                       std::span<std::byte> scratch, Limits limits,
                                                       TrailerView& view);

  static Result<MessageView> open_rest(std::span<const std::byte> message, Limits limits) noexcept;
};

}  // namespace detail

/// Opens an untrusted message: splits off exactly one trailer, the outermost.
/// Total: any bytes, any length and any alignment give a view or an error. Nothing outside of
/// `message` is read, nothing of the payload is read, and work is bounded by the trailer's size.
/// Errors, the first that applies, with the offset in `message`: absent (no magic), unsupported
/// (version, required_flags, identifier), corrupt (trailer_size, checksum), too_large (limit),
/// invalid (layout, or values with the field).
/// Cost: nanoseconds, whatever the payload's size. No allocation; at most 2 KiB of stack.
/// Takes any contiguous bytes that outlive the expression: std::span<const std::byte>,
/// std::string_view, std::vector<char>&, and arrays, which are taken whole.
/// Bytes that a peer may still change (shared memory, RDMA) are safe to open, but the view's device
/// map would change with them: use `open_copy`.
template <BorrowedBytes R>
[[nodiscard]] Result<MessageView> open(R message, Limits limits = {}) noexcept {
  return detail::Parser::open(detail::readable(message), limits);
}

/// The same for bytes in a container or an array, which must outlive the view.
template <OwningBytes R>
[[nodiscard]] Result<MessageView> open(R& message GRADTAIL_LIFETIMEBOUND,
                                       Limits limits = {}) noexcept {
  return detail::Parser::open(detail::readable(message), limits);
}

/// A view into a temporary that owns its bytes would dangle.
template <OwningBytes R>
Result<MessageView> open(R&& message, Limits limits = {}) = delete;

/// As `open`, for memory that a peer may still be writing: copies the trailer to the scratch, and
/// reads only the copy. Whatever the peer writes from then on, metadata() and trailer() stay as
/// they were checked. Errors as `open`; too_large also if the scratch is smaller than the trailer.
/// Cost: that of `open` and a copy of the trailer, whatever the payload's size.
template <BorrowedBytes R>
[[nodiscard]] Result<MessageView> open_copy(R message,
                                            TrailerScratch& scratch GRADTAIL_LIFETIMEBOUND,
                                            Limits limits = {}) noexcept {
  return detail::Parser::open_copy(detail::readable(message), scratch.memory(), limits);
}
template <OwningBytes R>
[[nodiscard]] Result<MessageView> open_copy(R& message GRADTAIL_LIFETIMEBOUND,
                                            TrailerScratch& scratch GRADTAIL_LIFETIMEBOUND,
                                            Limits limits = {}) noexcept {
  return detail::Parser::open_copy(detail::readable(message), scratch.memory(), limits);
}

/// A view into a temporary that owns its bytes would dangle.
template <OwningBytes R>
Result<MessageView> open_copy(R&& message, TrailerScratch& scratch, Limits limits = {}) = delete;

/// Opens a detached trailer: one that a transport delivers by itself, in a header or before the
/// payload (FORMAT.md, section 11). `trailer` is exactly the trailer, `payload_size` the bytes of
/// the payload as the transport announces them; the checksum covers that number. The payload is
/// neither needed nor touched. Checks, errors, cost and lifetime as `open`, with offsets in
/// `trailer`; corrupt (trailer_size) also unless the trailer says that it has as many bytes as
/// given.
template <BorrowedBytes R>
[[nodiscard]] Result<TrailerView> open_trailer(R trailer, std::uint64_t payload_size,
                                               Limits limits = {}) noexcept {
  return detail::Parser::open_trailer(detail::readable(trailer), payload_size, limits);
}
template <OwningBytes R>
[[nodiscard]] Result<TrailerView> open_trailer(R& trailer GRADTAIL_LIFETIMEBOUND,
                                               std::uint64_t payload_size,
                                               Limits limits = {}) noexcept {
  return detail::Parser::open_trailer(detail::readable(trailer), payload_size, limits);
}

/// A view into a temporary that owns its bytes would dangle.
template <OwningBytes R>
Result<TrailerView> open_trailer(R&& trailer, std::uint64_t payload_size,
                                 Limits limits = {}) = delete;

/// The trailer's size in bytes, from only the last bytes of a message: for receivers that get a
/// message's end first or have to fetch it. `tail` holds the message's last footer_size bytes or
/// more, or all of a shorter message. Makes only the checks that need no more than the footer. The
/// checksum isn't verified, so `open` may still refuse the message.
/// Errors, with the offset in the message: absent, unsupported (version, required_flags), corrupt
/// (trailer_size), too_large (limit). Cost: a nanosecond.
template <ByteRange R>
[[nodiscard]] Result<std::size_t> peek(const R& tail, std::size_t message_size,
                                       Limits limits = {}) noexcept {
  return detail::Parser::peek(detail::readable(tail), message_size, limits);
}

}  // namespace GRADTAIL_ABI
}  // namespace gradtail
