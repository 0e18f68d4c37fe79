// SPDX-License-Identifier: Apache-2.0
// Fields that a receiver can't do without. The format allows any set of fields.
#pragma once

#include <initializer_list>
#include <optional>

#include "gradtail/error.hpp"
#include "gradtail/export.hpp"
#include "gradtail/metadata.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {

/// Whether the field isn't at its default. Each of the device_map_* stands for the device map; of
/// what is no field of the metadata (none, id_*), false.
[[nodiscard]] constexpr bool is_present(const AutogradMetadata& metadata, Field field) noexcept {
  switch (field) {
    case Field::context_id:
      return metadata.context_id != -1;
    case Field::message_id:
      return metadata.message_id != -1;
    case Field::from_worker_id:
      return metadata.from_worker_id != -1;
    case Field::device_map_size:
    case Field::device_map_type:
    case Field::device_map_index:
    case Field::device_map_source:
    case Field::device_map_target:
      return !metadata.device_map.empty();
    case Field::retain_graph:
      return metadata.retain_graph;
    case Field::rref_created_on:
      return metadata.rref_created_on != -1;
    case Field::rref_local_id:
      return metadata.rref_local_id != -1;
    case Field::wrapped_message_type:
      return metadata.wrapped_message_type != 0;
    case Field::none:
    case Field::id_worker:
    case Field::id_counter:
      return false;
  }
  return false;
}

/// The error for the first of these fields that is absent, or nothing if all are there: code
/// invalid, check presence, the field. For handlers that need certain fields:
///
///     if (auto error = gradtail::require(metadata, {Field::context_id, Field::message_id}))
///       return fail(*error);
[[nodiscard]] constexpr std::optional<Error> require(const AutogradMetadata& metadata,
                                                     std::initializer_list<Field> fields) noexcept {
  for (const Field field : fields) {
    if (!is_present(metadata, field)) return Error{Code::invalid, Check::presence, field};
  }
  return std::nullopt;
}

}  // namespace GRADTAIL_ABI
}  // namespace gradtail
