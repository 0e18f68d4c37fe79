// SPDX-License-Identifier: Apache-2.0
// Checks 8 and 9 of FORMAT.md, section 6: a table's layout and its values.
#pragma once

#include "plain.hpp"

namespace plain {

/// The first rule of section 5 that the table breaks; if it breaks none, `fields` is what it holds.
[[nodiscard]] Rule read_layout(Bytes table, Fields& fields);

/// A field that section 3 doesn't allow, and where in the table it stands.
struct BadField {
  gradtail::Field field = gradtail::Field::none;
  std::size_t at = 0;
};

/// The first in the order of section 6, of a table whose layout is valid.
[[nodiscard]] BadField first_bad_field(Bytes table, const Fields& fields);

}  // namespace plain
