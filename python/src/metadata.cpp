// SPDX-License-Identifier: Apache-2.0
// Python's numbers and tuples to metadata and back.
#include "metadata.hpp"

#include <nanobind/stl/string.h>

#include <cstdint>
#include <limits>
#include <new>
#include <string>
#include <utility>

#include "errors.hpp"

namespace gradtail::python {

namespace nb = nanobind;

namespace {

/// Raises Invalid for a number that the field can't even hold. No byte is to blame yet.
[[noreturn]] void raise_unfit(Field field, const char* rule) {
  const Error error{Code::invalid, Check::values, field};
  const std::string sentence = to_string(error);
  raise(error, "invalid: " + (rule != nullptr ? rule : sentence.substr(sentence.find(": ") + 2)));
}

/// Takes ints and what has __index__, such as NumPy's. Raises TypeError for all else.
template <class T>
T number(nb::handle from, Field field, T low = std::numeric_limits<T>::min(),
         T high = std::numeric_limits<T>::max(), const char* rule = nullptr) {
  int overflow = 0;
  const long long value = PyLong_AsLongLongAndOverflow(from.ptr(), &overflow);
  if (value == -1 && PyErr_Occurred() != nullptr) throw nb::python_error();
  if (overflow != 0 || value < low || value > high) raise_unfit(field, rule);
  return static_cast<T>(value);
}

std::pair<nb::object, nb::object> two_of(nb::handle from, const char* what) {
  const nb::tuple items = nb::steal<nb::tuple>(PySequence_Tuple(from.ptr()));
  if (!items.is_valid()) throw nb::python_error();
  if (items.size() != 2) throw nb::type_error(what);
  return {items[0], items[1]};
}

Device device_of(nb::handle from) {
  const auto [type, index] = two_of(from, "a device must be a pair (type, index)");
  return {number<std::int8_t>(type, Field::device_map_type),
          number<std::int8_t>(index, Field::device_map_index)};
}

std::vector<DevicePair> map_of(nb::handle from) {
  std::vector<DevicePair> map;
  for (const nb::handle pair : nb::iter(from)) {
    const auto [source, target] =
        two_of(pair, "device_map must hold pairs (source, target) of devices");
    map.emplace_back(device_of(source), device_of(target));
  }
  return map;
}

nb::tuple tuple_of(std::span<const DevicePair> map) {
  if (map.empty()) return nb::make_tuple();
  const nb::module_ devices = nb::module_::import_("gradtail._devices");
  const nb::object device = devices.attr("Device");
  const nb::object device_pair = devices.attr("DevicePair");
  nb::list pairs;
  for (const auto& [source, target] : map) {
    pairs.append(device_pair(device(source.type, source.index), device(target.type, target.index)));
  }
  return nb::tuple(pairs);
}

void construct(Metadata* self, nb::handle context_id, nb::handle message_id,
               nb::handle from_worker_id, nb::handle wrapped_message_type, nb::handle device_map,
               nb::handle retain_graph, nb::handle rref_created_on, nb::handle rref_local_id) {
  // Before the scalars: its iterator may run any code.
  const std::vector<DevicePair> map = map_of(device_map);
  new (self) Metadata(AutogradMetadata{
      .context_id = number<std::int64_t>(context_id, Field::context_id),
      .message_id = number<std::int64_t>(message_id, Field::message_id),
      .from_worker_id = number<std::int32_t>(from_worker_id, Field::from_worker_id),
      .wrapped_message_type = number<std::uint32_t>(wrapped_message_type, Field::none, 0,
                                                    std::numeric_limits<std::uint32_t>::max(),
                                                    "wrapped_message_type must be 0..2^32-1"),
      .device_map = map,
      .retain_graph = number<std::uint8_t>(retain_graph, Field::retain_graph, 0, 1) != 0,
      .rref_created_on = number<std::int32_t>(rref_created_on, Field::rref_created_on),
      .rref_local_id = number<std::int64_t>(rref_local_id, Field::rref_local_id)});
}

/// All fields in the order of their ids, for copies, hashes and texts.
nb::tuple state_of(const Metadata& self) {
  const AutogradMetadata m = self.view();
  return nb::make_tuple(m.context_id, m.message_id, m.from_worker_id, m.wrapped_message_type,
                        tuple_of(m.device_map), m.retain_graph, m.rref_created_on, m.rref_local_id);
}

void restore(Metadata* self, const nb::tuple& state) {
  if (state.size() != 8) throw nb::value_error("this isn't the state of an AutogradMetadata");
  construct(self, state[0], state[1], state[2], state[3], state[4], state[5], state[6], state[7]);
}

/// The call that makes the same metadata, with the fields that are set.
std::string repr_of(const Metadata& self) {
  constexpr const char* names[] = {"context_id",           "message_id",   "from_worker_id",
                                   "wrapped_message_type", "device_map",   "retain_graph",
                                   "rref_created_on",      "rref_local_id"};
  const nb::tuple state = state_of(self);
  const nb::tuple absent = state_of(Metadata(AutogradMetadata{}));
  std::string text;
  for (std::size_t i = 0; i < state.size(); ++i) {
    if (state[i].equal(absent[i])) continue;
    text.append(text.empty() ? "" : ", ").append(names[i]).append("=");
    text.append(nb::repr(state[i]).c_str());
  }
  return "AutogradMetadata(" + text + ")";
}

}  // namespace

Metadata::Metadata(const AutogradMetadata& metadata)
    : scalars_(metadata), map_(metadata.device_map.begin(), metadata.device_map.end()) {
  scalars_.device_map = {};
}

AutogradMetadata Metadata::view() const noexcept {
  AutogradMetadata view = scalars_;
  view.device_map = map_;
  return view;
}

void bind_metadata(nb::module_& module) {
  const auto field = [](auto AutogradMetadata::*member) {
    return [member](const Metadata& self) { return self.view().*member; };
  };
  nb::class_<Metadata>(module, "AutogradMetadata", nb::is_final(), R"(
One message's autograd metadata: an immutable value that can be compared, hashed, copied and
pickled.

All arguments are by name and optional: each is for the attribute of its name. A field at its
default is absent and takes no bytes. device_map takes pairs ((type, index), (type, index)) in any
order, such as the items() of a dict.

append() and trailer() check the ranges when they write the metadata. Here, only a number that its
field can't hold raises Invalid, with offset 0: one of more than 64, 32 or, in devices, 8 bits, a
negative wrapped_message_type, or a retain_graph other than 0 and 1.

str() names the fields that are set, for logs; repr() is the call that makes the same metadata.)")
      .def("__init__", &construct, nb::kw_only(), nb::arg("context_id") = -1,
           nb::arg("message_id") = -1, nb::arg("from_worker_id") = -1,
           nb::arg("wrapped_message_type") = 0, nb::arg("device_map") = nb::make_tuple(),
           nb::arg("retain_graph") = false, nb::arg("rref_created_on") = -1,
           nb::arg("rref_local_id") = -1,
           nb::sig("def __init__(self, *, context_id: typing.SupportsIndex = -1, "
                   "message_id: typing.SupportsIndex = -1, "
                   "from_worker_id: typing.SupportsIndex = -1, "
                   "wrapped_message_type: typing.SupportsIndex = 0, "
                   "device_map: collections.abc.Iterable[tuple["
                   "tuple[typing.SupportsIndex, typing.SupportsIndex], "
                   "tuple[typing.SupportsIndex, typing.SupportsIndex]]] = (), "
                   "retain_graph: typing.SupportsIndex = False, "
                   "rref_created_on: typing.SupportsIndex = -1, "
                   "rref_local_id: typing.SupportsIndex = -1) -> None"))
      .def_prop_ro("context_id", field(&AutogradMetadata::context_id),
                   "The distributed autograd pass. 0..2**63-1, or -1 for absent.")
      .def_prop_ro(
          "message_id", field(&AutogradMetadata::message_id),
          "The pair of send and recv functions in that pass. 0..2**63-1, or -1 for absent.")
      .def_prop_ro("from_worker_id", field(&AutogradMetadata::from_worker_id),
                   "The worker that sent the message, as it claims. 0..2**31-1, or -1 for absent.")
      .def_prop_ro("wrapped_message_type", field(&AutogradMetadata::wrapped_message_type),
                   "The RPC's own type number for the payload. 1..2**32-1, or 0 for absent.")
      .def_prop_ro(
          "device_map", [](const Metadata& self) { return tuple_of(self.view().device_map); },
          nb::sig("def device_map(self) -> tuple[gradtail._devices.DevicePair, ...]"),
          "The sender's devices to the receiver's: up to 128 pairs, no source and no target twice. "
          "Types are numbered as in c10::DeviceType (0 cpu, 1 cuda), 0..63. Indices are 0..127, or "
          "-1 for none given.")
      .def_prop_ro("retain_graph", field(&AutogradMetadata::retain_graph),
                   "Backward messages: keep the graph for another pass.")
      .def_prop_ro("rref_created_on", field(&AutogradMetadata::rref_created_on),
                   "RRef backward messages: the worker part of the RRef's id. 0..2**31-1, or -1.")
      .def_prop_ro("rref_local_id", field(&AutogradMetadata::rref_local_id),
                   "RRef backward messages: the local part of the RRef's id. 0..2**63-1, or -1.")
      .def(
          "__eq__", [](const Metadata& a, const Metadata& b) { return a.view() == b.view(); },
          nb::is_operator(), nb::sig("def __eq__(self, other: object, /) -> bool"))
      .def("__hash__", [](const Metadata& self) { return nb::hash(state_of(self)); })
      .def("__getstate__", &state_of, nb::sig("def __getstate__(self) -> tuple[object, ...]"))
      .def("__setstate__", &restore,
           nb::sig("def __setstate__(self, state: tuple[object, ...], /) -> None"))
      .def("__repr__", &repr_of)
      .def("__str__", [](const Metadata& self) { return to_string(self.view()); });
}

}  // namespace gradtail::python
