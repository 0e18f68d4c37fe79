// SPDX-License-Identifier: Apache-2.0
// Errors with what was found in the message.
#include "gradtail/found.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "gradtail/open.hpp"
#include "poke.hpp"

using gradtail::AutogradMetadata;

namespace {

constexpr std::size_t payload_size = 21;

/// The last part of the sentence about a message that is refused, from "; found" on.
std::string found(const reference::Bytes& message, gradtail::Limits limits = {}) {
  const auto opened = gradtail::open(message, limits);
  REQUIRE(!opened);
  const std::string plain = to_string(opened.error());
  const std::string text = to_string(opened.error(), message);
  REQUIRE(text.starts_with(plain));
  return text.substr(plain.size());
}

std::string found(const AutogradMetadata& metadata) {
  return found(reference::message_of(payload_size, metadata));
}

/// A good message with a number at a distance from its end.
std::string found_with(std::size_t from_end, std::uint64_t value, std::size_t size) {
  reference::Bytes message = reference::message_of(payload_size, {.context_id = 7});
  poke(message, message.size() - from_end, value, size);
  return found(message);
}

}  // namespace

TEST_CASE("a wrong footer is shown") {
  CHECK(found_with(4, 0x01020304, 4) == "; found 04 03 02 01");
  CHECK(found_with(12, 0xFFFE, 2) == "; found 65534");
  CHECK(found_with(10, 0x8000, 2) == "; found 32768");
  CHECK(found_with(16, 0xFFFFFFF4, 4) == "; found 4294967284");
  CHECK(found_with(8, 0xAB00CD0F, 4) == "; found 0F CD 00 AB");
  CHECK(found(reference::message_of(payload_size, {.context_id = 7}), {.trailer_size = 40}) ==
        "; found 48");
}

TEST_CASE("another table's identifier is shown") {
  reference::Bytes message = reference::message_of(payload_size, {});
  poke(message, payload_size + 4, 0x44434241, 4);
  reference::mend_checksum(message);
  CHECK(found(message) == "; found 41 42 43 44");
}

TEST_CASE("a wrong value is shown") {
  CHECK(found(AutogradMetadata{.context_id = -2}) == "; found -2");
  CHECK(found(AutogradMetadata{.context_id = INT64_MIN}) == "; found -9223372036854775808");
  CHECK(found(AutogradMetadata{.from_worker_id = -7}) == "; found -7");
  std::vector<gradtail::DevicePair> map{{{1, 0}, {1, 1}}, {{2, 0}, {64, 1}}};
  CHECK(found(AutogradMetadata{.device_map = map}) ==
        "; found " + to_string(map[1].source) + " to " + to_string(map[1].target));
  map[1].target = map[0].target;
  CHECK(found(AutogradMetadata{.device_map = map}) ==
        "; found " + to_string(map[1].source) + " to " + to_string(map[1].target));
  map.resize(129);
  CHECK(found(AutogradMetadata{.device_map = map}) == "; found 129");
}

TEST_CASE("a number of one byte has no sign") {
  const gradtail::Error error{gradtail::Code::invalid, gradtail::Check::values,
                              gradtail::Field::retain_graph, 3};
  const reference::Bytes bytes(32, std::byte{0xFE});
  CHECK(to_string(error, bytes) == to_string(error) + "; found 254");
}

TEST_CASE("the end of a message is enough") {
  CHECK(found(reference::Bytes(16)) == "; found 00 00 00 00");
}

TEST_CASE("nothing is shown where there isn't one wrong value") {
  CHECK(found(reference::Bytes(15)).empty());
  reference::Bytes message = reference::message_of(payload_size, {});
  poke(message, payload_size, 2, 4);
  reference::mend_checksum(message);
  CHECK(found(message).empty());
  const gradtail::Error room{gradtail::Code::no_space, gradtail::Check::room};
  CHECK(to_string(room, message) == to_string(room));
  const gradtail::Error missing{gradtail::Code::invalid, gradtail::Check::presence,
                                gradtail::Field::context_id};
  CHECK(to_string(missing, message) == to_string(missing));
  for (const gradtail::Field field : {gradtail::Field::none, gradtail::Field::id_counter}) {
    const gradtail::Error id{gradtail::Code::invalid, gradtail::Check::values, field};
    CHECK(to_string(id, message) == to_string(id));
  }
}

TEST_CASE("of a message that isn't the one that was refused, nothing outside is read") {
  const reference::Bytes message = reference::message_of(payload_size, {.from_worker_id = -7});
  const gradtail::Error error = gradtail::open(message).error();
  for (std::size_t size = 0; size < message.size(); ++size) {
    const std::vector<std::byte> part(message.begin(),
                                      message.begin() + static_cast<std::ptrdiff_t>(size));
    const std::string text = to_string(error, part);
    CHECK(text == to_string(error) + (size < error.offset + 8 ? "" : "; found -7"));
  }
}
