// SPDX-License-Identifier: Apache-2.0
// Which values the schema allows (FORMAT.md, section 3): one set of rules for writing and reading.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "gradtail/error.hpp"
#include "gradtail/metadata.hpp"

namespace gradtail {
inline namespace v0 {
namespace detail {

/// Whether everything but the device map is in range.
[[nodiscard]] constexpr bool scalars_valid(const AutogradMetadata& m) noexcept {
  return (m.context_id >= -1) & (m.message_id >= -1) & (m.from_worker_id >= -1) &
         (m.rref_created_on >= -1) & (m.rref_local_id >= -1);
}

/// What is wrong with a value, and with which pair where it is one of the device map.
struct BadValue {
  Field field = Field::none;
  std::size_t pair = 0;
};

/// The first value that is out of range, in the order of field ids; Field::none if all are good.
/// `map` is the device map in the order of the wire, `retain_graph` the byte that stands for the
/// bool, which may be more than a bool can hold: they count, not those in `metadata`.
[[nodiscard]] BadValue first_bad_value(const AutogradMetadata& metadata,
                                       std::span<const DevicePair> map,
                                       std::uint8_t retain_graph) noexcept;

/// Whether there is nothing wrong with a device map in the order of the wire: the same rules, at a
/// fraction of the cost.
[[nodiscard]] bool pairs_valid(std::span<const DevicePair> map) noexcept;

/// The order of the wire: ascending by the source's type and index as signed numbers.
[[nodiscard]] constexpr bool source_before(const DevicePair& a, const DevicePair& b) noexcept {
  return a.source.type != b.source.type ? a.source.type < b.source.type
                                        : a.source.index < b.source.index;
}

}  // namespace detail
}  // namespace v0
}  // namespace gradtail
