// SPDX-License-Identifier: Apache-2.0
// The fields of the metadata, each described once. Layout, reading, writing, range checks,
// comparison, logging and error sentences are all derived from this table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "autograd_metadata_generated.h"
#include "gradtail/error.hpp"
#include "gradtail/metadata.hpp"
#include "little_endian.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail {

/// The number of a field's slot in the vtable, which is the field's id in FORMAT.md, from flatc's
/// constant, which is the slot's position in the vtable.
[[nodiscard]] constexpr unsigned slot_of_vt(unsigned vt_offset) noexcept {
  return (vt_offset - 4) / 2;
}

/// A field that holds one number. Each slot has a type of its own, so that the code for a field is
/// compiled for that field. `vt_offset` is flatc's constant for the slot.
template <unsigned vt_offset, class T>
struct Scalar {
  /// What is stored: a bool as one byte, which a hostile sender may set to any value.
  using Value = std::conditional_t<std::is_same_v<T, bool>, std::uint8_t, T>;
  using Wire = std::make_unsigned_t<Value>;

  T AutogradMetadata::*member;
  std::string_view name;
  T absent;
  Field error;      ///< Field::none if no value is refused
  T lowest = T{0};  ///< of a present field
  T highest = std::numeric_limits<T>::max();
  bool is_id = false;  ///< logged with its worker and counter

  static constexpr unsigned slot = slot_of_vt(vt_offset);
  static constexpr std::size_t size = sizeof(T);

  [[nodiscard]] constexpr T get(const AutogradMetadata& m) const noexcept { return m.*member; }
  [[nodiscard]] constexpr Wire wire(const AutogradMetadata& m) const noexcept {
    return static_cast<Wire>(get(m));
  }
  [[nodiscard]] constexpr bool is_present(const AutogradMetadata& m) const noexcept {
    return get(m) != absent;
  }
  [[nodiscard]] constexpr bool allows(Value value) const noexcept {
    return value == Value{absent} || (value >= Value{lowest} && value <= Value{highest});
  }
  [[nodiscard]] static Wire load(const std::byte* from) noexcept {
    return detail::load<Wire>(from);
  }
  /// Takes over a value from the wire. False if it isn't allowed.
  [[nodiscard]] constexpr bool set(AutogradMetadata& m, Wire wire) const noexcept {
    m.*member = static_cast<T>(wire);
    return allows(static_cast<Value>(wire));
  }
};

template <unsigned vt_offset, class T>
[[nodiscard]] consteval Scalar<vt_offset, T> scalar(T AutogradMetadata::*member,
                                                    std::string_view name,
                                                    std::type_identity_t<T> absent, Field error) {
  return {member, name, absent, error};
}

/// The same for a context or message id.
template <unsigned vt_offset>
[[nodiscard]] consteval Scalar<vt_offset, std::int64_t> id(std::int64_t AutogradMetadata::*member,
                                                           std::string_view name, Field error) {
  return {.member = member, .name = name, .absent = -1, .error = error, .is_id = true};
}

template <class F>
concept ScalarField = requires(const F& field) {
  field.member;
};

/// The device map: an offset to a length and that many pairs.
struct DeviceMap {
  std::string_view name = "device_map";
  static constexpr unsigned slot = slot_of_vt(fbs::AutogradMetadata::VT_DEVICE_MAP);
  static constexpr std::size_t size = sizeof(std::uint32_t);

  [[nodiscard]] static constexpr bool is_present(const AutogradMetadata& m) noexcept {
    return !m.device_map.empty();
  }
};

using M = AutogradMetadata;
using Fbs = fbs::AutogradMetadata;

// clang-format off
/// In the order of the slots, which is the order of the checks. A present scalar may have any value
/// from 0 to the largest of its type, unless its row says otherwise.
inline constexpr std::tuple fields{
    //     constant of flatc               member                    name                 absent  error
    id    <Fbs::VT_CONTEXT_ID          >(&M::context_id,           "context_id",               Field::context_id),
    id    <Fbs::VT_MESSAGE_ID          >(&M::message_id,           "message_id",               Field::message_id),
    scalar<Fbs::VT_FROM_WORKER_ID      >(&M::from_worker_id,       "from_worker_id",       -1, Field::from_worker_id),
    scalar<Fbs::VT_WRAPPED_MESSAGE_TYPE>(&M::wrapped_message_type, "wrapped_message_type",  0, Field::wrapped_message_type),
    DeviceMap{},
    scalar<Fbs::VT_RETAIN_GRAPH        >(&M::retain_graph,         "retain_graph",      false, Field::retain_graph),
    scalar<Fbs::VT_RREF_CREATED_ON     >(&M::rref_created_on,      "rref_created_on",      -1, Field::rref_created_on),
    scalar<Fbs::VT_RREF_LOCAL_ID       >(&M::rref_local_id,        "rref_local_id",        -1, Field::rref_local_id),
};
// clang-format on

inline constexpr std::size_t field_count = std::tuple_size_v<decltype(fields)>;

// The loops below are always inlined: once the fields are constants, nothing is left of them. With
// calls, the library would be 264 bytes larger (gcc 12). std::apply can't be inlined by force.

/// Calls `use` with each field, in the order of the slots.
template <class Use, std::size_t... i>
[[gnu::always_inline]] constexpr void for_each_field(Use use, std::index_sequence<i...>) {
  (use(std::get<i>(fields)), ...);
}
template <class Use>
[[gnu::always_inline]] constexpr void for_each_field(Use use) {
  detail::for_each_field(use, std::make_index_sequence<field_count>());
}

/// Calls `test` with one field after the other until it returns true. Returns whether it did.
template <class Test>
[[gnu::always_inline]] constexpr bool any_field(Test test) {
  bool found = false;
  detail::for_each_field([&](const auto& field) __attribute__((always_inline)) {
    found = found || test(field);  // GCOVR_EXCL_BR_LINE: one copy for each field
  });
  return found;
}

/// An overload set for the two functions above: one function for scalars, one for the device map.
template <class... Functions>
struct Either : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
Either(Functions...) -> Either<Functions...>;

/// The function for the device map where only scalars matter.
inline constexpr auto do_nothing = [](const DeviceMap&) {};

// The table against the schema: each field in its slot and of its type, and none left out.
template <class... Parameters>
consteval std::size_t count(auto(*)(Parameters...)) {
  return sizeof...(Parameters);
}
static_assert(field_count + 1 == detail::count(&fbs::CreateAutogradMetadata));
static_assert([] {
  unsigned slot = 0;
  bool in_order = true;
  detail::for_each_field([&](const auto& f) { in_order &= f.slot == slot++; });
  return in_order;
}());
static_assert(sizeof(fbs::DevicePair) == sizeof(DevicePair));
// A value that a row refuses needs a Field to be reported with.
static_assert(!detail::any_field([]<class F>(const F& f) {
  if constexpr (ScalarField<F>) {
    using Value = typename F::Value;
    using All = std::numeric_limits<Value>;
    return f.error == Field::none &&
           (Value{f.lowest} != All::min() || Value{f.highest} != All::max());
  }
  return false;
}));

/// A set of fields, a bit for each slot.
using FieldSet = std::uint32_t;
static_assert(field_count <= std::numeric_limits<FieldSet>::digits);
inline constexpr FieldSet all_fields = (FieldSet{1} << field_count) - 1;

/// The set of one member's field.
template <class T>
[[nodiscard]] consteval FieldSet set_of(T AutogradMetadata::*member) {
  FieldSet set = 0;
  detail::for_each_field(
      Either{[&](const ScalarField auto& f) {
               if constexpr (std::is_same_v<T AutogradMetadata::*, decltype(f.member)>) {
                 if (f.member == member) set = FieldSet{1} << f.slot;
               }
             },
             [&](const DeviceMap& f) {
               if constexpr (std::is_same_v<T AutogradMetadata::*, decltype(&M::device_map)>) {
                 set = FieldSet{1} << f.slot;
               }
             }});
  return set;
}

/// The fields that are stored: those that aren't absent.
[[nodiscard]] constexpr FieldSet present_fields(const AutogradMetadata& m) noexcept {
  FieldSet set = 0;
  detail::for_each_field([&](const auto& f) { set |= FieldSet{f.is_present(m)} << f.slot; });
  return set;
}

}  // namespace detail
}  // namespace GRADTAIL_ABI
}  // namespace gradtail
