// SPDX-License-Identifier: Apache-2.0
// Removing the trailer from a container, in place.
#pragma once

#include <ranges>

#include "gradtail/append.hpp"
#include "gradtail/bytes.hpp"
#include "gradtail/export.hpp"
#include "gradtail/open.hpp"
#include "gradtail/result.hpp"
#include "gradtail/scratch.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {

/// Removes exactly one trailer from a message and shrinks its buffer to the payload, in place. The
/// view returned borrows only from the scratch: the buffer may be changed, moved or freed.
/// Errors, with the buffer unchanged: as `open`; too_large also if the scratch is smaller than the
/// trailer. Cost: that of `open` and a copy of the trailer, whatever the payload's size.
/// No allocation; the buffer keeps its capacity.
template <ByteContainer C>
[[nodiscard]] Result<TrailerView> strip(C& buffer, TrailerScratch& scratch GRADTAIL_LIFETIMEBOUND,
                                        Limits limits = {}) {
  const Result<TrailerView> taken =
      detail::Parser::open_into(detail::readable(buffer), scratch.memory(), limits);
  if (taken) buffer.resize(std::ranges::size(buffer) - taken->trailer().size());
  return taken;
}

}  // namespace GRADTAIL_ABI
}  // namespace gradtail
