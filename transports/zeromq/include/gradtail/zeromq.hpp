// SPDX-License-Identifier: Apache-2.0
// Trailers in ZeroMQ messages, as cppzmq has them.
//
//     in one frame                     as the last frame
//     +-------------------+---------+  +-----------+   +-----------+   +---------+
//     | payload           | trailer |  | payload.. |   | ..payload |   | trailer |
//     +-------------------+---------+  +-----------+   +-----------+   +---------+
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <ranges>
#include <span>
#include <type_traits>
#include <utility>
#include <zmq.hpp>

#include "gradtail/bytes.hpp"
#include "gradtail/export.hpp"
#include "gradtail/metadata.hpp"
#include "gradtail/open.hpp"
#include "gradtail/result.hpp"
#include "gradtail/scratch.hpp"
#include "gradtail/segments.hpp"
#include "gradtail/trailer.hpp"
#include "gradtail/wire.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {

/// The frames of one multipart message: std::vector or std::deque of zmq::message_t,
/// zmq::multipart_t.
template <class C>
concept FrameContainer = std::ranges::bidirectional_range<C> &&
    std::same_as<std::ranges::range_reference_t<C>, zmq::message_t&>&& requires(
        C& frames, zmq::message_t frame) {
  frames.push_back(std::move(frame));
};

/// Puts the trailer behind the payload in the caller's memory, and makes one message of both
/// without a copy. `buffer` begins with the payload of `payload_size` bytes and has room for the
/// trailer behind it: max_trailer_size bytes are always enough. A message that is returned owns the
/// buffer, as with zmq_msg_init_data: `free(data, hint)` is called once, with the buffer's first
/// byte, when libzmq and every copy of the message are done with it, possibly on a thread of
/// libzmq's. After an error the buffer is still the caller's, unchanged, and `free` is not called.
/// Errors: invalid (values: the field; AutogradMetadata lists the ranges), no_space (less than
/// trailer_size(metadata) bytes behind the payload). Offset: payload_size. zmq::error_t passes
/// through if libzmq has no memory. Allocates what libzmq keeps for any such message, about 40
/// bytes, whatever the payload's size.
template <BorrowedBytes R>
requires(!std::is_const_v<std::remove_reference_t<std::ranges::range_reference_t<R>>>)
    [[nodiscard]] Result<zmq::message_t> append(R&& buffer, std::size_t payload_size,
                                                const AutogradMetadata& metadata,
                                                zmq::free_fn* free, void* hint = nullptr) {
  const std::span<std::byte> bytes = detail::writable(buffer);
  const std::span<std::byte> room = bytes.subspan((std::min)(payload_size, bytes.size()));
  const Result<Trailer> trailer = Trailer::make(metadata, payload_size);
  if (!trailer) return trailer.error();
  const std::size_t size = trailer->bytes().size();
  if (size > room.size()) return Error{Code::no_space, Check::room, Field::none, payload_size};
  Result<zmq::message_t> message(std::in_place, bytes.data(), payload_size + size, free, hint);
  std::memcpy(room.data(), trailer->bytes().data(), size);  // after all that can fail
  return message;
}

/// Adds a last frame with the trailer, and returns its number of bytes. The payload is all frames
/// that are there, so add the addresses that a ROUTER removes only afterwards. The frames are
/// neither read nor written. Allocates the frame and what the container needs for it.
/// Errors, with the frames unchanged: invalid (values: the field; AutogradMetadata lists the
/// ranges). Offset: the payload's size. zmq::error_t and what the container throws pass through.
template <FrameContainer C>
[[nodiscard]] Result<std::size_t> append(C& frames, const AutogradMetadata& metadata) {
  std::span<const std::byte> last;
  const Result<Trailer> trailer = Trailer::make(metadata, detail::total_size(frames, last));
  if (!trailer) return trailer.error();
  const std::span<const std::byte> bytes = trailer->bytes();
  frames.push_back(zmq::message_t(bytes.data(), bytes.size()));
  return bytes.size();
}

/// Opens an untrusted message of one frame, as `open` of its bytes. The view borrows from the
/// message, which must stay in place: libzmq keeps the bytes of a small one (of up to 33, in 4.3)
/// in the zmq::message_t itself. A multipart message is a range of segments: open(frames, scratch).
[[nodiscard]] inline Result<MessageView> open(const zmq::message_t& message GRADTAIL_LIFETIMEBOUND,
                                              Limits limits = {}) noexcept {
  return gradtail::open(detail::segment_bytes(message), limits);
}

/// Deleted: a view into a temporary message would dangle.
Result<MessageView> open(const zmq::message_t&& message, Limits limits = {}) = delete;

/// Removes the last frame, which must be exactly a trailer, from a multipart message. The remaining
/// frames are the payload. The view returned borrows only from the scratch.
/// Errors, with the frames unchanged: as `open` of the frames; invalid (trailer_size) if a good
/// trailer isn't exactly the last frame. Offsets count from the first frame's first byte.
/// Cost: that of `open_copy`, whatever the payload's size. No allocation.
template <FrameContainer C>
[[nodiscard]] Result<TrailerView> strip(C& frames, TrailerScratch& scratch GRADTAIL_LIFETIMEBOUND,
                                        Limits limits = {}) {
  const auto opened = gradtail::open_copy(frames, scratch, limits);
  if (!opened) return opened.error();
  const std::size_t trailer_size = opened->trailer().size();
  if (std::ranges::prev(frames.end())->size() != trailer_size) {
    return Error{Code::invalid, Check::trailer_size, Field::none,
                 opened->payload_size() + trailer_size - footer_size};
  }
  if constexpr (requires { frames.pop_back(); }) {
    frames.pop_back();
  } else {
    static_cast<void>(frames.remove());  // as zmq::multipart_t calls it
  }
  return Result<TrailerView>(std::in_place, *opened);
}

}  // namespace GRADTAIL_ABI
}  // namespace gradtail
