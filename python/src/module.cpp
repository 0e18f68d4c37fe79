// SPDX-License-Identifier: Apache-2.0
// The extension module gradtail._core: writing, ids, and what the other files bind.
#include <nanobind/nanobind.h>

#include <cstdint>
#include <cstring>

#include "errors.hpp"
#include "gradtail/id.hpp"
#include "gradtail/trailer.hpp"
#include "metadata.hpp"
#include "views.hpp"

namespace gradtail::python {

namespace nb = nanobind;

namespace {

nb::bytes trailer(const Metadata& metadata, std::uint64_t payload_size) {
  const Trailer made = value_or_raise(Trailer::make(metadata.view(), payload_size));
  return nb::bytes(made.bytes().data(), made.bytes().size());
}

std::size_t append(const nb::bytearray& buffer, const Metadata& metadata) {
  const std::size_t payload_size = buffer.size();
  const Trailer made = value_or_raise(Trailer::make(metadata.view(), payload_size));
  const std::span bytes = made.bytes();
  if (PyByteArray_Resize(buffer.ptr(), static_cast<Py_ssize_t>(payload_size + bytes.size())) != 0) {
    throw nb::python_error();
  }
  std::memcpy(PyByteArray_AS_STRING(buffer.ptr()) + payload_size, bytes.data(), bytes.size());
  return bytes.size();
}

void bind_ids(nb::module_& module) {
  module.def(
      "compose_id",
      [](std::int32_t worker, std::uint64_t counter) {
        return value_or_raise(compose_id(worker, counter));
      },
      nb::arg("worker"), nb::arg("counter"), R"(
The id of a worker and that worker's counter: worker << 48 | counter.

Raises Invalid, with the field id_worker unless the worker is 0..32767, or id_counter unless the
counter is 0..2**48-2.)");
  module.def("id_worker", &id_worker, nb::arg("id"),
             "The worker that made an id, 0..32767; -1 for the absent id, -1.");
  module.def("id_counter", &id_counter, nb::arg("id"), "The counter of an id, 0..2**48-1.");
  nb::class_<IdGenerator>(module, "IdGenerator", R"(
Makes ids for one worker, each once. Threads may share it. After os.fork(), which multiprocessing
may use, parent and child would give the same ids: make another one in the child, with a worker id
of its own.

worker: 0..32767.
first: the counter of the first id, 0..2**48-2.)")
      .def(nb::init<std::int32_t, std::uint64_t>(), nb::arg("worker"), nb::arg("first") = 0)
      .def(
          "next", [](IdGenerator& self) { return value_or_raise(self.next()); }, R"(
An id that no other call got.

Raises Invalid, with the field id_worker if the worker is out of range, or id_counter once 2**48-2
has been issued.)");
}

}  // namespace

NB_MODULE(_core, module) {
  // A view that lives until the interpreter ends, in a global, is no mistake.
  nb::set_leak_warnings(false);
  module.attr("version") = GRADTAIL_VERSION;
  bind_metadata(module);
  bind_views(module);
  bind_ids(module);
  module.def("trailer", &trailer, nb::arg("metadata"), nb::arg("payload_size"), R"(
The trailer for a payload, to send directly behind it.

metadata: an AutogradMetadata.
payload_size: bytes of the payload, all pieces of it together.

The same metadata and payload size always give the same bytes. Raises Invalid with the field if a
value is out of range; the offset is payload_size.)");
  module.def("append", &append, nb::arg("buffer"), nb::arg("metadata"), R"(
Appends the trailer to a bytearray that holds the payload, and returns the number of bytes appended.

Raises Invalid with the field if a value is out of range, and BufferError if the bytearray can't
grow because there is still a view of it; in both cases it is unchanged.)");
}

}  // namespace gradtail::python
