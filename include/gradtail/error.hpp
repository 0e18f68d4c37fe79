// SPDX-License-Identifier: Apache-2.0
// What went wrong, what to do about it, and where in the caller's bytes.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>

#include "gradtail/export.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {

/// One code for each thing that a caller can do about it. Numbers never change meaning.
enum class Code : std::uint8_t {
  absent = 1,       ///< no trailer: fine if none is due, an error if one is
  unsupported = 2,  ///< the peer is newer, or sends another kind of trailer: upgrade
  corrupt = 3,      ///< damaged in transit: request a resend
  too_large = 4,    ///< over the caller's limit: raise the limit, or refuse the peer
  invalid = 5,      ///< reading: the peer has a bug or is hostile; writing: fix the metadata
  no_space = 6,     ///< writing only: the memory given is smaller than trailer_size(metadata)
};

/// The check that failed. Up to `values` they are in the order in which `open` makes them, and the
/// first that fails is the one reported (FORMAT.md, section 6). Numbers never change meaning.
enum class Check : std::uint8_t {
  magic = 1,           ///< at least 16 bytes, the magic at the end
  version = 2,         ///< a version that this library reads
  required_flags = 3,  ///< no bit that this library doesn't know
  trailer_size = 4,    ///< within the message, 32 or more, a multiple of 8
  limit = 5,           ///< within the caller's limit
  checksum = 6,        ///< CRC-32C over the trailer and the payload's size
  identifier = 7,      ///< the table's file identifier, AGMD
  layout = 8,          ///< a valid FlatBuffers table
  values = 9,          ///< values that the schema allows
  room = 10,           ///< writing only: the trailer fits the memory given
  presence = 11,       ///< `require_fields` only: a field that the caller needs is present
};

/// What a `values` or `presence` error is about. Numbers never change meaning.
enum class Field : std::uint8_t {
  none = 0,  ///< no field
  context_id = 1,
  message_id = 2,
  from_worker_id = 3,
  device_map_size = 4,    ///< device_map: more pairs than 128
  device_map_type = 5,    ///< device_map: a device type out of range
  device_map_index = 6,   ///< device_map: a device index out of range
  device_map_source = 7,  ///< device_map: a source twice or, read, sources that don't ascend
  device_map_target = 8,  ///< device_map: a target twice
  retain_graph = 9,
  rref_created_on = 10,
  rref_local_id = 11,
  id_worker = 12,             ///< ids: a worker that doesn't fit an id's top bits
  id_counter = 13,            ///< ids: a counter past the last one that may be issued
  wrapped_message_type = 14,  ///< `require_fields` only: every value is allowed
};

/// Why something was refused. Plain data: no allocation, safe to copy and to keep.
struct Error {
  Code code;                  ///< what to do about it
  Check check;                ///< the first check that failed
  Field field = Field::none;  ///< what a values or presence error is about
  /// Reading: the byte of the message that is wrong; FORMAT.md, section 6, lists it for each check.
  /// Writing: the payload's size, where the trailer would have begun. Ids and presence: 0.
  std::size_t offset = 0;

  friend bool operator==(const Error&, const Error&) = default;
};

/// The code's name, such as "corrupt": a label for metrics. "unknown" for a number that isn't an
/// enumerator. The text is static.
GRADTAIL_API std::string_view to_string(Code code) noexcept;

/// The check's name, such as "checksum", or the field's, such as "from_worker_id"; otherwise as
/// above.
GRADTAIL_API std::string_view to_string(Check check) noexcept;
GRADTAIL_API std::string_view to_string(Field field) noexcept;

/// A whole sentence with the code, the field, its range and the offset, for logs. Allocates the
/// string.
GRADTAIL_API std::string to_string(const Error& error);

namespace detail {
template <class T>
concept ErrorOrPart = std::same_as<T, Error> || std::same_as<T, Code> || std::same_as<T, Check> ||
    std::same_as<T, Field>;
}  // namespace detail

/// The same texts to a stream.
template <class Traits, detail::ErrorOrPart T>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out,
                                             const T& value) {
  return out << to_string(value);
}

}  // namespace GRADTAIL_ABI
}  // namespace gradtail
