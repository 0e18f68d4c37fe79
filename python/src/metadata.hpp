// SPDX-License-Identifier: Apache-2.0
// AutogradMetadata for Python: a value that owns its device map.
#pragma once

#include <nanobind/nanobind.h>

#include <vector>

#include "gradtail/metadata.hpp"

namespace gradtail::python {

class Metadata {
 public:
  /// Copies the device map.
  explicit Metadata(const AutogradMetadata& metadata);

  /// The same with the map borrowed from this object.
  [[nodiscard]] AutogradMetadata view() const noexcept;

 private:
  AutogradMetadata scalars_;
  std::vector<DevicePair> map_;
};

/// Adds the class AutogradMetadata to the module.
void bind_metadata(nanobind::module_& module);

}  // namespace gradtail::python
