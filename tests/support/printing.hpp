// SPDX-License-Identifier: Apache-2.0
// How doctest prints the library's types in a failed check.
#pragma once

#include <doctest/doctest.h>

#include "gradtail/error.hpp"
#include "gradtail/metadata.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {

inline doctest::String toString(const AutogradMetadata& metadata) {
  return to_string(metadata).c_str();
}

inline doctest::String toString(const Error& error) { return to_string(error).c_str(); }

}  // namespace GRADTAIL_ABI
}  // namespace gradtail
