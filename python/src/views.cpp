// SPDX-License-Identifier: Apache-2.0
// Opening messages in place, in any object that has the buffer protocol.
//
// Every view holds a memoryview of the buffer, which keeps it alive and keeps it from being
// resized.
#include "views.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "errors.hpp"
#include "gradtail/open.hpp"
#include "gradtail/scratch.hpp"
#include "metadata.hpp"

namespace gradtail::python {

namespace nb = nanobind;

namespace {

/// Holds the bytes of a buffer that a plain memoryview would give a shape or items of more than one
/// byte, and is itself a buffer of these bytes.
class FlatBytes {
 public:
  explicit FlatBytes(nb::handle buffer) {
    if (PyObject_GetBuffer(buffer.ptr(), &held_, PyBUF_SIMPLE) != 0) throw nb::python_error();
  }
  FlatBytes(const FlatBytes&) = delete;
  FlatBytes& operator=(const FlatBytes&) = delete;
  ~FlatBytes() { PyBuffer_Release(&held_); }

  static int get_buffer(PyObject* self, Py_buffer* out, int flags) {
    const Py_buffer& held = nb::inst_ptr<FlatBytes>(self)->held_;
    return PyBuffer_FillInfo(out, self, held.buf, held.len, held.readonly, flags);
  }
  static int traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    if (nb::inst_ready(self)) Py_VISIT(nb::inst_ptr<FlatBytes>(self)->held_.obj);
    return 0;
  }

 private:
  Py_buffer held_;
};

nb::object memoryview_of(nb::handle buffer) {
  nb::object view = nb::steal(PyMemoryView_FromObject(buffer.ptr()));
  if (!view.is_valid()) throw nb::python_error();
  return view;
}

/// A memoryview of the buffer as bytes in one dimension. Raises TypeError for an object without the
/// buffer protocol and BufferError where the bytes aren't contiguous.
nb::object bytes_of(nb::handle buffer) {
  nb::object view = memoryview_of(buffer);
  const Py_buffer& b = *PyMemoryView_GET_BUFFER(view.ptr());
  if (b.ndim == 1 && PyBuffer_IsContiguous(&b, 'C') != 0 && std::string_view(b.format) == "B") {
    return view;
  }
  return memoryview_of(nb::cast(new FlatBytes(buffer), nb::rv_policy::take_ownership));
}

std::span<const std::byte> span_of(nb::handle memoryview) {
  const Py_buffer& b = *PyMemoryView_GET_BUFFER(memoryview.ptr());
  return {static_cast<const std::byte*>(b.buf), static_cast<std::size_t>(b.len)};
}

/// A trailer in a buffer, and whatever is before it.
struct View {
  nb::object bytes;  ///< a memoryview: the message, or a detached trailer
  std::size_t trailer_at;
  nb::object metadata;

  [[nodiscard]] nb::object part(std::size_t from, std::size_t to) const {
    const nb::object begin = nb::int_(from);
    const nb::object end = nb::int_(to);
    return bytes[nb::steal(PySlice_New(begin.ptr(), end.ptr(), nullptr))];
  }
  [[nodiscard]] nb::object payload() const { return part(0, trailer_at); }
  [[nodiscard]] nb::object trailer() const { return part(trailer_at, span_of(bytes).size()); }

  static int traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    if (!nb::inst_ready(self)) return 0;
    const View& view = *nb::inst_ptr<View>(self);
    Py_VISIT(view.bytes.ptr());
    Py_VISIT(view.metadata.ptr());
    return 0;
  }
  static int clear(PyObject* self) {
    View& view = *nb::inst_ptr<View>(self);
    view.bytes.reset();
    view.metadata.reset();
    return 0;
  }
};
struct MessageView : View {};

/// Calls `read` with a scratch for trailers up to the limit. Another process may be writing the
/// buffer (mmap, shared memory), so what is checked and converted to Python is a copy.
template <class Read>
auto with_scratch(std::size_t limit, Read read) {
  if (limit <= Limits{}.trailer_size) {
    TrailerScratch scratch;
    return read(scratch);
  }
  std::vector<std::byte> memory(std::min(limit, Limits::most));
  TrailerScratch scratch{memory};
  return read(scratch);
}

MessageView open(nb::handle buffer, std::size_t limit) {
  const nb::object bytes = bytes_of(buffer);
  return with_scratch(limit, [&](TrailerScratch& scratch) -> MessageView {
    const auto message =
        value_or_raise(open_copy(span_of(bytes), scratch, {.trailer_size = limit}), span_of(bytes));
    return {bytes, message.payload().size(), nb::cast(Metadata(message.metadata()))};
  });
}

View open_trailer(nb::handle buffer, std::uint64_t payload_size, std::size_t limit) {
  const nb::object bytes = bytes_of(buffer);
  return with_scratch(limit, [&](TrailerScratch& scratch) -> View {
    std::span<const std::byte> trailer = span_of(bytes);
    if (const std::span memory = scratch.memory(); trailer.size() <= memory.size()) {
      std::ranges::copy(trailer, memory.begin());
      trailer = memory.first(trailer.size());
    }  // else it is over the limit, or corrupt
    const auto view = value_or_raise(
        gradtail::open_trailer(trailer, payload_size, {.trailer_size = limit}), trailer);
    return {bytes, 0, nb::cast(Metadata(view.metadata()))};
  });
}

}  // namespace

void bind_views(nb::module_& module) {
  static const PyType_Slot flat_slots[] = {
      {Py_bf_getbuffer, reinterpret_cast<void*>(&FlatBytes::get_buffer)},
      {Py_tp_traverse, reinterpret_cast<void*>(&FlatBytes::traverse)},
      {0, nullptr}};
  static const PyType_Slot view_slots[] = {
      {Py_tp_traverse, reinterpret_cast<void*>(&View::traverse)},
      {Py_tp_clear, reinterpret_cast<void*>(&View::clear)},
      {0, nullptr}};

  nb::class_<FlatBytes>(module, "_FlatBytes", nb::type_slots(flat_slots));
  nb::class_<View>(module, "TrailerView", nb::type_slots(view_slots), R"(
A trailer that has passed every check, as open_trailer() returns it. It keeps the buffer that it was
read from: a bytearray can't be resized while the view exists.)")
      .def_prop_ro(
          "metadata", [](const View& self) { return self.metadata; },
          nb::sig("def metadata(self) -> AutogradMetadata"),
          "What the sender said: a value of its own, independent of the buffer.")
      .def_prop_ro("trailer", &View::trailer, nb::sig("def trailer(self) -> memoryview"),
                   "The trailer's bytes as they came: a memoryview of the buffer, no copy.");
  nb::class_<MessageView, View>(module, "MessageView", R"(
A message whose trailer has passed every check, as open() returns it. It keeps the buffer that it
was read from: a bytearray can't be resized while the view exists.)")
      .def_prop_ro("payload", &MessageView::payload, nb::sig("def payload(self) -> memoryview"),
                   "The bytes before the trailer: a memoryview of the buffer, no copy.");

  module.def("open", &open, nb::arg("buffer"), nb::kw_only(),
             nb::arg("limit") = Limits{}.trailer_size,
             nb::sig("def open(buffer: typing_extensions.Buffer, *, limit: int = 4096) "
                     "-> MessageView"),
             R"(
Opens an untrusted message: splits off one trailer, the outermost.

Arguments:
  buffer: the whole message: bytes, bytearray, memoryview, mmap, array, NumPy array or any other
    object with a contiguous buffer. Only the metadata is copied, and the payload isn't read. The
    view keeps the buffer alive.
  limit: the largest trailer in bytes that is accepted, up to 65536.

Returns a MessageView with payload, metadata and trailer. If the payload is a message too, open it
in turn.

Raises the first of these that applies, each with code, check, field and the offset in the message:
  Absent: no trailer (check magic).
  Unsupported: from a newer peer, or another kind of trailer (version, required_flags, identifier).
  Corrupt: damaged (trailer_size, checksum).
  TooLarge: over the limit (limit).
  Invalid: the sender has a bug or is hostile (layout; values, with the field).
TypeError for an object that has no buffer, BufferError for a buffer that isn't contiguous.)");
  module.def("open_trailer", &open_trailer, nb::arg("buffer"), nb::arg("payload_size"),
             nb::kw_only(), nb::arg("limit") = Limits{}.trailer_size,
             nb::sig("def open_trailer(buffer: typing_extensions.Buffer, payload_size: int, *, "
                     "limit: int = 4096) -> TrailerView"),
             R"(
Reads a trailer that was received apart from its payload, such as the last frame of a multipart
message.

Arguments:
  buffer: exactly the trailer, in any object with a contiguous buffer.
  payload_size: bytes of the payload, as the transport counted them.
  limit: the largest trailer in bytes that is accepted, up to 65536.

Returns a TrailerView with metadata and trailer.

Raises the same as open(). Offsets count from the trailer's first byte, and a trailer_size that
isn't the buffer's size is Corrupt.)");
}

}  // namespace gradtail::python
