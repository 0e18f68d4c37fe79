// SPDX-License-Identifier: Apache-2.0
// Errors as text, for logs.
#include "gradtail/error.hpp"

#include <bit>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>

#include "fields.hpp"
#include "text.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail {
namespace {

template <class Key>
struct Entry {
  Key key;
  std::string_view name;      ///< as an identifier
  std::string_view sentence;  ///< what is wrong
};

constexpr Entry<Code> codes[] = {
    {Code::absent, "absent", ""},   {Code::unsupported, "unsupported", ""},
    {Code::corrupt, "corrupt", ""}, {Code::too_large, "too_large", ""},
    {Code::invalid, "invalid", ""}, {Code::no_space, "no_space", ""},
};

constexpr Entry<Check> checks[] = {
    {Check::magic, "magic",
     "no trailer: the message is shorter than 16 bytes or doesn't end with the magic 47 54 4C A7"},
    {Check::version, "version", "the trailer's version isn't 1: the peer is newer"},
    {Check::required_flags, "required_flags", "a required flag is unknown: the peer is newer"},
    {Check::trailer_size, "trailer_size",
     "trailer_size must be a multiple of 8 from 32 to the message's size, and exactly the size of "
     "a "
     "detached trailer"},
    {Check::limit, "limit",
     "trailer_size is over the limit, which is the caller's or the scratch's size"},
    {Check::checksum, "checksum",
     "the checksum is wrong: a damaged trailer, or one behind a payload of another length"},
    {Check::identifier, "identifier", "the table's identifier isn't AGMD: another kind of trailer"},
    {Check::layout, "layout", "the table isn't a valid FlatBuffers table"},
    {Check::values, "values", "a value is out of range"},
    {Check::room, "room", "the room is smaller than the trailer: see trailer_size()"},
    {Check::presence, "presence", ""},
};

/// Those that aren't the range of one scalar.
constexpr Entry<Field> other_fields[] = {
    {Field::none, "none", "a value is out of range"},
    {Field::device_map_size, "device_map_size", "device_map must have at most 128 pairs"},
    {Field::device_map_type, "device_map_type", "device_map: a device type must be 0..63"},
    {Field::device_map_index, "device_map_index", "device_map: a device index must be -1..127"},
    {Field::device_map_source, "device_map_source",
     "device_map: no two pairs may have the same source, and on the wire sources ascend by type "
     "and "
     "index"},
    {Field::device_map_target, "device_map_target",
     "device_map: no two pairs may have the same target"},
    {Field::id_worker, "id_worker", "the worker of an id must be 0..32767"},
    {Field::id_counter, "id_counter",
     "the counter of an id must be 0..281474976710654 (2^48-2): no ids are left"},
};

constexpr Entry<std::uint8_t> unknown{0, "unknown", "unknown"};

template <class Key, std::size_t n>
std::string_view find(const Entry<Key> (&entries)[n], Key key,
                      std::string_view Entry<Key>::*text) noexcept {
  for (const Entry<Key>& entry : entries) {
    if (entry.key == key) return entry.*text;
  }
  return unknown.name;
}

/// Calls `use` with the scalar whose range this is about. False if there is none.
bool with_scalar(Field field, auto use) {
  return detail::any_field([&]<class F>(const F& f) {
    if constexpr (ScalarField<F>) {
      // No row is without a Field today.
      if (f.error != field || field == Field::none) return false;  // GCOVR_EXCL_BR_LINE
      use(f);
      return true;
    }
    return false;
  });
}

// The sentence below ends a range with a power of two.
static_assert(!detail::any_field([]<class F>(const F& f) {
  if constexpr (ScalarField<F>)
    return !std::has_single_bit(static_cast<std::uint64_t>(f.highest) + 1) &&
           f.highest != std::numeric_limits<decltype(f.absent)>::max();
  return false;
}));

/// "context_id must be 0..2^63-1, or -1 for absent"
void add_range(Text& text, const ScalarField auto& f) {
  using T = decltype(f.absent);
  text << f.name << " must be ";
  if constexpr (std::is_same_v<std::remove_const_t<T>, bool>) {
    text << "0 or 1";
  } else {
    using Wide = std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>;
    text << Wide{f.lowest} << "..";
    const auto highest = static_cast<std::uint64_t>(f.highest);
    text << "2^" << static_cast<std::int64_t>(std::bit_width(highest)) << "-1";
    text << ", or " << Wide{f.absent} << " for absent";
  }
}

}  // namespace
}  // namespace detail

std::string_view to_string(Code code) noexcept {
  return detail::find(detail::codes, code, &detail::Entry<Code>::name);
}

std::string_view to_string(Check check) noexcept {
  return detail::find(detail::checks, check, &detail::Entry<Check>::name);
}

std::string_view to_string(Field field) noexcept {
  std::string_view name;
  if (detail::with_scalar(field, [&](const auto& f) { name = f.name; })) return name;
  return detail::find(detail::other_fields, field, &detail::Entry<Field>::name);
}

std::string to_string(const Error& error) {
  detail::Text text;
  text << to_string(error.code);
  const bool has_offset = error.field != Field::id_worker && error.field != Field::id_counter &&
                          error.check != Check::presence;
  if (has_offset) text << " at byte " << std::uint64_t{error.offset};
  text << ": ";
  if (error.check == Check::presence) {
    text << to_string(error.field) << " is required, but absent";
  } else if (error.check != Check::values) {
    text << detail::find(detail::checks, error.check, &detail::Entry<Check>::sentence);
  } else if (!detail::with_scalar(error.field,
                                  [&](const auto& f) { detail::add_range(text, f); })) {
    text << detail::find(detail::other_fields, error.field, &detail::Entry<Field>::sentence);
  }
  return std::move(text.text);
}

}  // namespace GRADTAIL_ABI
}  // namespace gradtail
