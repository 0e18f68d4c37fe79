// SPDX-License-Identifier: Apache-2.0
// Views of messages and trailers in Python's buffers.
#pragma once

#include <nanobind/nanobind.h>

namespace gradtail::python {

/// Adds TrailerView, MessageView and the functions that open them to the module.
void bind_views(nanobind::module_& module);

}  // namespace gradtail::python
