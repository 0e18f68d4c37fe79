// SPDX-License-Identifier: Apache-2.0
// Putting a trailer into memory that the caller has: tailroom, a registered buffer, a pool's block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ranges>
#include <span>
#include <type_traits>

#include "gradtail/bytes.hpp"
#include "gradtail/export.hpp"
#include "gradtail/metadata.hpp"
#include "gradtail/result.hpp"
#include "gradtail/wire.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {

/// Bytes of the trailer for this metadata: exact, a multiple of 8, min_trailer_size to
/// max_trailer_size for metadata that a writer accepts. It depends only on which fields are set and
/// on the number of device pairs. Doesn't check values; writers do. No allocation.
[[nodiscard]] GRADTAIL_API std::size_t trailer_size(const AutogradMetadata& metadata) noexcept;

namespace detail {

/// Writes the trailer and returns its size, or refuses: returns 0, with nothing written.
[[nodiscard]] GRADTAIL_API std::size_t try_write(std::span<std::byte> room,
                                                 const AutogradMetadata& metadata,
                                                 std::uint64_t payload_size) noexcept;

/// Why try_write refused.
[[nodiscard]] GRADTAIL_API Error write_error(const AutogradMetadata& metadata,
                                             std::uint64_t payload_size) noexcept;

}  // namespace detail

/// Writes the trailer of a payload of `payload_size` bytes to the start of `room` and returns its
/// size in bytes. In the message it follows the payload directly, so `room` begins there, or is
/// sent next. Any alignment. The same metadata and payload size always give the same bytes.
/// Errors, with nothing written: invalid (values: the field; AutogradMetadata lists the ranges),
/// no_space (room is smaller than trailer_size(metadata)). Offset: payload_size.
/// Cost: nanoseconds, whatever the payload's size, which is never touched. No allocation.
/// Takes any contiguous bytes: char[128], std::span<std::byte>, a std::vector's storage.
template <BorrowedBytes R>
requires(!std::is_const_v<std::remove_reference_t<std::ranges::range_reference_t<R>>>)
    [[nodiscard]] Result<std::size_t> write_trailer(R&& room, const AutogradMetadata& metadata,
                                                    std::uint64_t payload_size) noexcept {
  if (const auto size = detail::try_write(detail::writable(room), metadata, payload_size)) {
    return size;
  }
  return detail::write_error(metadata, payload_size);
}

}  // namespace GRADTAIL_ABI
}  // namespace gradtail
