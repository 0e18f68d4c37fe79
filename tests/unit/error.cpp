// SPDX-License-Identifier: Apache-2.0
// Errors as values and as text.
#include "gradtail/error.hpp"

#include <doctest/doctest.h>

#include <string>

#include "printing.hpp"

using gradtail::Check;
using gradtail::Code;
using gradtail::Error;
using gradtail::Field;

namespace {

std::string text(Code code, Check check, Field field = Field::none) {
  return to_string(Error{code, check, field, 42});
}

}  // namespace

TEST_CASE("an error is about no field and the first byte unless it says otherwise") {
  CHECK(Error{Code::absent, Check::magic} == Error{Code::absent, Check::magic, Field::none, 0});
}

TEST_CASE("every error is a whole sentence with code and offset") {
  CHECK(text(Code::absent, Check::magic) ==
        "absent at byte 42: no trailer: fewer than 16 bytes, or no magic 47 54 4C A7 at the end");
  CHECK(text(Code::unsupported, Check::version) ==
        "unsupported at byte 42: the version isn't 1: the peer is newer");
  CHECK(text(Code::unsupported, Check::required_flags) ==
        "unsupported at byte 42: a required flag is unknown: the peer is newer");
  CHECK(text(Code::corrupt, Check::trailer_size) ==
        "corrupt at byte 42: trailer_size must be a multiple of 8 from 32 to the message's size; "
        "detached, its own size");
  CHECK(text(Code::too_large, Check::limit) ==
        "too_large at byte 42: trailer_size is over the limit or the size of the scratch");
  CHECK(text(Code::corrupt, Check::checksum) ==
        "corrupt at byte 42: the checksum is wrong: damage, or a payload of another length");
  CHECK(text(Code::unsupported, Check::identifier) ==
        "unsupported at byte 42: the table's identifier isn't AGMD: another kind of trailer");
  CHECK(text(Code::invalid, Check::layout) ==
        "invalid at byte 42: the table isn't a valid FlatBuffers table");
  CHECK(text(Code::no_space, Check::room) ==
        "no_space at byte 42: the room is smaller than trailer_size(metadata)");
}

TEST_CASE("a values error names the field and its range") {
  struct Row {
    Field field;
    const char* rule;
  };
  for (const auto& [field, rule] : {
           Row{Field::none, "a value is out of range"},
           Row{Field::context_id, "context_id must be 0..2^63-1, or -1 for absent"},
           Row{Field::message_id, "message_id must be 0..2^63-1, or -1 for absent"},
           Row{Field::from_worker_id, "from_worker_id must be 0..2^31-1, or -1 for absent"},
           Row{Field::device_map_size, "device_map must have at most 128 pairs"},
           Row{Field::device_map_type, "device_map: a device type must be 0..63"},
           Row{Field::device_map_index, "device_map: a device index must be -1..127"},
           Row{Field::device_map_source,
               "device_map: no two pairs may have the same source, and on the wire sources "
               "ascend"},
           Row{Field::device_map_target, "device_map: no two pairs may have the same target"},
           Row{Field::retain_graph, "retain_graph must be 0 or 1"},
           Row{Field::rref_created_on, "rref_created_on must be 0..2^31-1, or -1 for absent"},
           Row{Field::rref_local_id, "rref_local_id must be 0..2^63-1, or -1 for absent"},
           Row{Field::id_worker, "the worker of an id must be 0..32767"},
           Row{Field::id_counter, "the counter of an id must be 0..2^48-2: no ids are left"},
       }) {
    const bool of_id = field == Field::id_worker || field == Field::id_counter;
    CHECK(text(Code::invalid, Check::values, field) ==
          (of_id ? "invalid: " : "invalid at byte 42: ") + std::string(rule));
  }
}

TEST_CASE("numbers that are none of the enumerators are still text") {
  CHECK(to_string(static_cast<Code>(99)) == "unknown");
  CHECK(text(static_cast<Code>(99), static_cast<Check>(99)) == "unknown at byte 42: unknown");
  CHECK(text(Code::invalid, Check::values, static_cast<Field>(99)) ==
        "invalid at byte 42: unknown");
}

TEST_CASE("errors are equal where code, check, field and offset are") {
  constexpr Error error{Code::invalid, Check::values, Field::context_id, 42};
  CHECK(error == Error{Code::invalid, Check::values, Field::context_id, 42});
  CHECK(error != Error{Code::corrupt, Check::values, Field::context_id, 42});
  CHECK(error != Error{Code::invalid, Check::layout, Field::context_id, 42});
  CHECK(error != Error{Code::invalid, Check::values, Field::message_id, 42});
  CHECK(error != Error{Code::invalid, Check::values, Field::context_id, 43});
}

TEST_CASE("checks and fields have names") {
  CHECK(to_string(Check::magic) == "magic");
  CHECK(to_string(Check::trailer_size) == "trailer_size");
  CHECK(to_string(static_cast<Check>(99)) == "unknown");
  CHECK(to_string(Field::none) == "none");
  CHECK(to_string(Field::context_id) == "context_id");
  CHECK(to_string(Field::rref_local_id) == "rref_local_id");
  CHECK(to_string(Field::device_map_type) == "device_map_type");
  CHECK(to_string(Field::id_counter) == "id_counter");
  CHECK(to_string(static_cast<Field>(99)) == "unknown");
}
