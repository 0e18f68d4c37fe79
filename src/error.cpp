// SPDX-License-Identifier: Apache-2.0
// Errors as text, for logs.
#include "gradtail/error.hpp"

#include <bit>
#include <limits>
#include <type_traits>
#include <utility>

#include "fields.hpp"
#include "gradtail/found.hpp"
#include "text.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail {
namespace {

// The texts of an enum, a line for each value in their order: its name and, after a colon, the
// sentence about it. Tables of pointers would be relocated in each process that loads the library.
constexpr std::string_view codes =
    "absent\n"
    "unsupported\n"
    "corrupt\n"
    "too_large\n"
    "invalid\n"
    "no_space\n";

constexpr std::string_view checks =
    "magic: no trailer: fewer than 16 bytes, or no magic 47 54 4C A7 at the end\n"
    "version: the version isn't 1: the peer is newer\n"
    "required_flags: a required flag is unknown: the peer is newer\n"
    "trailer_size: trailer_size must be a multiple of 8 from 32 to the message's size; detached, "
    "its own size\n"
    "limit: trailer_size is over the limit or the size of the scratch\n"
    "checksum: the checksum is wrong: damage, or a payload of another length\n"
    "identifier: the table's identifier isn't AGMD: another kind of trailer\n"
    "layout: the table isn't a valid FlatBuffers table\n"
    "values: a value is out of range\n"
    "room: the room is smaller than trailer_size(metadata)\n"
    "presence\n";

// Empty lines: the range of one scalar, whose texts come from the table of fields.
constexpr std::string_view fields_texts =
    "none: a value is out of range\n"
    "\n\n\n"
    "device_map_size: device_map must have at most 128 pairs\n"
    "device_map_type: device_map: a device type must be 0..63\n"
    "device_map_index: device_map: a device index must be -1..127\n"
    "device_map_source: device_map: no two pairs may have the same source, and on the wire sources "
    "ascend\n"
    "device_map_target: device_map: no two pairs may have the same target\n"
    "\n\n\n"
    "id_worker: the worker of an id must be 0..32767\n"
    "id_counter: the counter of an id must be 0..2^48-2: no ids are left\n";

/// The line with this number, counted from 0. Cold: otherwise its callers inline and unroll it, and
/// the library is 540 bytes larger (gcc 12).
[[gnu::cold]] constexpr std::string_view line(std::string_view lines,
                                              std::uint8_t number) noexcept {
  for (; number > 0; --number) lines.remove_prefix(lines.find('\n') + 1);  // npos + 1 is 0
  const std::string_view found = lines.substr(0, lines.find('\n'));
  return found.empty() ? "unknown" : found;
}

template <class Key>
constexpr std::string_view line_of(Key key) noexcept {
  const auto number = static_cast<std::uint8_t>(key);
  if constexpr (std::is_same_v<Key, Code>) return detail::line(codes, number - 1);
  if constexpr (std::is_same_v<Key, Check>) return detail::line(checks, number - 1);
  if constexpr (std::is_same_v<Key, Field>) return detail::line(fields_texts, number);
}

template <class Key>
constexpr std::string_view name_of(Key key) noexcept {
  const std::string_view text = detail::line_of(key);
  return text.substr(0, text.find(':'));
}

std::string_view sentence_of(auto key) noexcept {
  const std::string_view text = detail::line_of(key);
  const std::size_t colon = text.find(':');
  return colon == std::string_view::npos ? text : text.substr(colon + 2);
}

static_assert(name_of(Code::no_space) == "no_space" && name_of(Check::presence) == "presence");
static_assert(name_of(Field::device_map_target) == "device_map_target");
static_assert(name_of(Field::id_counter) == "id_counter");

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

/// Cold, as all that logs need: 48 bytes less (gcc 12).
[[gnu::cold]] NumberType number_type(Field field) noexcept {
  NumberType type;
  detail::with_scalar(field, [&](const auto& f) {
    type = {f.size, std::is_signed_v<decltype(f.absent)>};
  });
  return type;
}

}  // namespace detail

std::string_view to_string(Code code) noexcept { return detail::name_of(code); }

std::string_view to_string(Check check) noexcept { return detail::name_of(check); }

std::string_view to_string(Field field) noexcept {
  std::string_view name;
  if (detail::with_scalar(field, [&](const auto& f) { name = f.name; })) return name;
  return detail::name_of(field);
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
    text << detail::sentence_of(error.check);
  } else if (!detail::with_scalar(error.field,
                                  [&](const auto& f) { detail::add_range(text, f); })) {
    text << detail::sentence_of(error.field);
  }
  return std::move(text.text);
}

}  // namespace GRADTAIL_ABI
}  // namespace gradtail
