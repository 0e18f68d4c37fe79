// SPDX-License-Identifier: Apache-2.0
// The exceptions themselves are Python classes, in gradtail/_errors.py.
#include "errors.hpp"

#include <nanobind/nanobind.h>

namespace gradtail::python {

namespace nb = nanobind;

void raise(const Error& error) { raise(error, to_string(error)); }

void raise(const Error& error, const std::string& text) {
  const auto number = [](auto enumerator) { return static_cast<int>(enumerator); };
  const nb::object exception =
      nb::module_::import_("gradtail._errors")
          .attr("error_of")(number(error.code), number(error.check), number(error.field),
                            error.offset, nb::str(text.c_str(), text.size()));
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception.ptr())), exception.ptr());
  throw nb::python_error();
}

}  // namespace gradtail::python
