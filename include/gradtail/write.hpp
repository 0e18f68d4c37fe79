// SPDX-License-Identifier: Apache-2.0
// Putting a trailer into memory that the caller has: tailroom, a registered buffer, a pool's block.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <ranges>
#include <span>
#include <type_traits>
#include <utility>

#include "gradtail/bytes.hpp"
#include "gradtail/export.hpp"
#include "gradtail/metadata.hpp"
#include "gradtail/result.hpp"
#include "gradtail/wire.hpp"

namespace gradtail {
inline namespace v0 {

/// Bytes of the trailer for this metadata: exact, a multiple of 8, min_trailer_size to
/// max_trailer_size for metadata that a writer accepts. It depends on which fields are set and on
/// the number of device pairs, not on their values, which are the writer's to check. No allocation.
[[nodiscard]] GRADTAIL_API std::size_t trailer_size(const AutogradMetadata& metadata) noexcept;

/// Writes the trailer of a payload of `payload_size` bytes to the start of `room` and returns its
/// size in bytes. In the message it follows the payload directly, so `room` begins there, or is
/// sent next. Any alignment. The same metadata and payload size always give the same bytes.
/// Errors, with nothing written: invalid (values: the field; AutogradMetadata lists the ranges),
/// no_space (room is smaller than trailer_size(metadata)). Offset: payload_size.
/// Cost: nanoseconds, whatever the payload's size, which is never touched. No allocation.
[[nodiscard]] GRADTAIL_API Result<std::size_t> write_trailer(std::span<std::byte> room,
                                                             const AutogradMetadata& metadata,
                                                             std::uint64_t payload_size) noexcept;

/// The same for any contiguous bytes: char[128], std::span<unsigned char>, a std::vector's storage.
template <BorrowedBytes R>
requires(!std::is_const_v<std::remove_reference_t<std::ranges::range_reference_t<R>>>)
    [[nodiscard]] Result<std::size_t> write_trailer(R&& room, const AutogradMetadata& metadata,
                                                    std::uint64_t payload_size) noexcept {
  return write_trailer(detail::writable(room), metadata, payload_size);
}

namespace detail {

/// Metadata that has been checked, with a copy of its device map in the order of the wire, so that
/// nothing that happens to the caller's map before the writing matters. 600 bytes, for the stack.
class Prepared {
 public:
  /// Checks the values; errors as write_trailer. Refers to `metadata`, which must outlive it.
  GRADTAIL_API Prepared(const AutogradMetadata& metadata, std::uint64_t payload_size) noexcept;
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;

  /// Bytes that `write` writes, or what is wrong with the metadata.
  [[nodiscard]] const Result<std::size_t>& size() const noexcept { return size_; }

  /// Writes the trailer to `out`, which has room for it. Only where size() has a value.
  GRADTAIL_API void write(std::byte* out) const noexcept;

 private:
  const AutogradMetadata& metadata_;
  std::uint64_t payload_size_;
  Result<std::size_t> size_;
  std::span<const DevicePair> map_;
  std::array<std::byte, max_device_pairs * sizeof(DevicePair)> pairs_;
};

}  // namespace detail
}  // namespace v0
}  // namespace gradtail
