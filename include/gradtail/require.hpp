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

/// Whether the field is present, that is, not at its default. Each of the device_map_* asks about
/// the device map. False for enumerators that aren't fields of the metadata (none, id_*).
[[nodiscard]] GRADTAIL_API bool is_present(const AutogradMetadata& metadata, Field field) noexcept;

/// The error for the first of these fields that is absent, or nothing if all are present: code
/// invalid, check presence, the field. For handlers that need certain fields:
///
///     if (auto error = gradtail::require_fields(metadata, {Field::context_id, Field::message_id}))
///       return fail(*error);
[[nodiscard]] inline std::optional<Error> require_fields(
    const AutogradMetadata& metadata, std::initializer_list<Field> fields) noexcept {
  for (const Field field : fields) {
    if (!gradtail::is_present(metadata, field)) {
      return Error{Code::invalid, Check::presence, field};
    }
  }
  return std::nullopt;
}

}  // namespace GRADTAIL_ABI
}  // namespace gradtail
