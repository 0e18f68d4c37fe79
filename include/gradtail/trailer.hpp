// SPDX-License-Identifier: Apache-2.0
// A trailer as a value of its own, to be sent as one more segment behind the payload.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "gradtail/export.hpp"
#include "gradtail/metadata.hpp"
#include "gradtail/result.hpp"
#include "gradtail/wire.hpp"
#include "gradtail/write.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {

/// The bytes of one trailer, for gather writes (iovec, slices, frames): the payload stays where it
/// is. Has room for max_trailer_size bytes, so it doesn't allocate. It must outlive the send and
/// stay where it is.
class Trailer {
 public:
  /// No bytes.
  Trailer() noexcept {}  // NOLINT: only the part of bytes_ that make writes is read

  /// The trailer of a payload of `payload_size` bytes (all segments before it together).
  /// Errors: invalid (values: the field; AutogradMetadata lists the ranges). Offset: payload_size.
  /// Cost: as write_trailer.
  [[nodiscard]] static Result<Trailer> make(const AutogradMetadata& metadata,
                                            std::uint64_t payload_size) noexcept {
    Result<Trailer> made(std::in_place);
    made->size_ = detail::try_write(made->bytes_, metadata, payload_size);
    if (made->size_ == 0) made = detail::write_error(metadata, payload_size);
    return made;
  }

  /// The bytes to send behind the payload. Valid while this Trailer is, where it is.
  [[nodiscard]] std::span<const std::byte> bytes() const& noexcept GRADTAIL_LIFETIMEBOUND {
    return std::span(bytes_).first(size_);
  }
  [[nodiscard]] std::span<const std::byte> bytes() const&& = delete;

 private:
  std::array<std::byte, max_trailer_size> bytes_;
  std::size_t size_ = 0;
};

}  // namespace GRADTAIL_ABI
}  // namespace gradtail
