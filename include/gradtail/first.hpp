// SPDX-License-Identifier: Apache-2.0
// The received part of a sequence of buffers.
//
// recvmsg, readv and Asio fill several buffers, return the number of bytes received and leave the
// buffers as large as they were. Cutting an array of iovecs in place would lose their sizes, which
// the next receive needs, and Asio has no public function that cuts a sequence of buffers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <ranges>
#include <span>

#include "gradtail/export.hpp"
#include "gradtail/segments.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {

/// The first `size` bytes of the segments, as std::span::first: a range of
/// std::span<const std::byte> for `open`, without empty ones. If the segments hold fewer bytes, all
/// of them: a `size` that is too large, as from recvmsg with MSG_TRUNC, does no harm. Borrows the
/// segments. Cost: a walk over their sizes. No copy, no allocation.
template <BorrowedSegments R>
[[nodiscard]] PayloadSegments<std::ranges::iterator_t<R>> first(R segments, std::size_t size) {
  std::span<const std::byte> last;
  return {std::ranges::begin(segments), (std::min)(size, detail::total_size(segments, last))};
}

/// The same for segments in a container or an array, which must outlive the part.
template <OwningSegments R>
[[nodiscard]] PayloadSegments<std::ranges::iterator_t<R>> first(R& segments GRADTAIL_LIFETIMEBOUND,
                                                                std::size_t size) {
  std::span<const std::byte> last;
  return {std::ranges::begin(segments), (std::min)(size, detail::total_size(segments, last))};
}

/// A part of a temporary range of segments would dangle.
template <OwningSegments R>
void first(R&& segments, std::size_t size) = delete;

}  // namespace GRADTAIL_ABI
}  // namespace gradtail
