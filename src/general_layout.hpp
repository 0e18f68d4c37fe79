// SPDX-License-Identifier: Apache-2.0
// The general way to read: every valid layout, and every error from the checksum on.
#pragma once

#include <cstddef>
#include <span>

#include "gradtail/metadata.hpp"
#include "gradtail/result.hpp"

namespace gradtail {
inline namespace v0 {
namespace detail {

/// Reads a located trailer: its size is a multiple of 8, from 32 to Limits::most. The device map is
/// lent from `trailer`.
[[nodiscard]] Result<AutogradMetadata> read_general(std::span<const std::byte> trailer,
                                                    std::size_t payload_size) noexcept;

}  // namespace detail
}  // namespace v0
}  // namespace gradtail
