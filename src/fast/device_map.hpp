// SPDX-License-Identifier: Apache-2.0
// Whether a device map is valid, without saying why not.
#pragma once

#include <span>

#include "gradtail/metadata.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail::fast {

#if GRADTAIL_FAST_PATH

/// Whether all devices are in range and the sources ascend. May return false for few pairs.
[[nodiscard]] bool is_in_order(std::span<const DevicePair> map) noexcept;

/// Whether first_bad_pair finds nothing wrong with a map in wire order, at a fraction of its cost.
[[nodiscard]] bool is_valid_map(std::span<const DevicePair> map) noexcept;

#else

inline bool is_in_order(auto&&...) noexcept { return false; }

#endif

}  // namespace detail::fast
}  // namespace GRADTAIL_ABI
}  // namespace gradtail
