// SPDX-License-Identifier: Apache-2.0
// Errors as text, for logs.
#include "gradtail/error.hpp"

#include <array>
#include <charconv>

namespace gradtail {
inline namespace v0 {
namespace {

[[gnu::cold]] std::string_view rule(Field field) noexcept {
  switch (field) {
    case Field::none:
      break;
    case Field::context_id:
      return "context_id must be 0..2^63-1, or -1 for absent";
    case Field::message_id:
      return "message_id must be 0..2^63-1, or -1 for absent";
    case Field::from_worker_id:
      return "from_worker_id must be 0..2^31-1, or -1 for absent";
    case Field::device_map_size:
      return "device_map must have at most 128 pairs";
    case Field::device_map_type:
      return "device_map: a device type must be 0..63";
    case Field::device_map_index:
      return "device_map: a device index must be -1..127";
    case Field::device_map_source:
      return "device_map: no source may be there twice, and on the wire they ascend by type and "
             "index";
    case Field::device_map_target:
      return "device_map: no two sources may have the same target";
    case Field::retain_graph:
      return "retain_graph must be 0 or 1";
    case Field::rref_created_on:
      return "rref_created_on must be 0..2^31-1, or -1 for absent";
    case Field::rref_local_id:
      return "rref_local_id must be 0..2^63-1, or -1 for absent";
    case Field::id_worker:
      return "the worker of an id must be 0..32767";
    case Field::id_counter:
      return "the counter of an id must be 0..281474976710654 (2^48-2), and there are no more";
  }
  return "a value is out of range";
}

[[gnu::cold]] std::string_view reason(const Error& error) noexcept {
  switch (error.check) {
    case Check::magic:
      return "no trailer: the message is shorter than 16 bytes or doesn't end with the magic 47 54 "
             "4C A7";
    case Check::version:
      return "the trailer's version isn't 1: the peer is newer";
    case Check::required_flags:
      return "a required flag is unknown: the peer is newer";
    case Check::trailer_size:
      return "trailer_size must be a multiple of 8 from 32 to the message's size";
    case Check::limit:
      return "trailer_size is over the limit, the caller's or the scratch's size";
    case Check::checksum:
      return "the checksum is wrong: a damaged trailer, or one behind a payload of another length";
    case Check::identifier:
      return "the table's identifier isn't AGMD: another kind of trailer";
    case Check::layout:
      return "the table isn't a valid FlatBuffers table";
    case Check::values:
      return rule(error.field);
    case Check::room:
      return "the room is smaller than the trailer: see trailer_size()";
  }
  return "unknown check";
}

}  // namespace

std::string_view to_string(Code code) noexcept {
  switch (code) {
    case Code::absent:
      return "absent";
    case Code::unsupported:
      return "unsupported";
    case Code::corrupt:
      return "corrupt";
    case Code::too_large:
      return "too_large";
    case Code::invalid:
      return "invalid";
    case Code::no_space:
      return "no_space";
  }
  return "unknown";
}

[[gnu::cold]] std::string to_string(const Error& error) {
  std::string text(to_string(error.code));
  const bool of_id = error.field == Field::id_worker || error.field == Field::id_counter;
  if (!of_id) {
    std::array<char, 24> digits;  // NOLINT: to_chars writes what is used
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), error.offset).ptr;
    text.append(" at byte ").append(digits.data(), end);
  }
  return text.append(": ").append(reason(error));
}

}  // namespace v0
}  // namespace gradtail
