// SPDX-License-Identifier: Apache-2.0
// Fuzz target: any metadata through every writer; what is written reads back, mutated or not.
#include "gradtail/write.hpp"

#include <algorithm>
#include <array>
#include <type_traits>

#include "fields.hpp"
#include "fuzz.hpp"
#include "gradtail/append.hpp"
#include "gradtail/trailer.hpp"
#include "reference.hpp"

using gradtail::AutogradMetadata;
using gradtail::DevicePair;

namespace {

/// Any values, mostly valid ones; device pairs in any order.
AutogradMetadata metadata_of(fuzz::Input& input, std::vector<DevicePair>& map) {
  using namespace gradtail::detail;  // NOLINT: the table of fields
  FieldSet set = 0;
  for (std::size_t i = 0; i < field_count; i += 8) set = set << 8 | input.take<std::uint8_t>();
  const bool wild = input.take<std::uint8_t>() % 8 == 0;
  AutogradMetadata m;
  const auto take_scalar = [&](const ScalarField auto& field) {
    if ((set >> field.slot & 1) == 0) return;
    using Member = std::remove_reference_t<decltype(m.*field.member)>;
    if constexpr (std::is_same_v<Member, bool>) {
      m.*field.member = true;
    } else {
      const auto value = input.take<Member>();
      m.*field.member = wild ? value : static_cast<Member>(value & field.highest);
    }
  };
  for_each_field(Either{take_scalar, do_nothing});
  if ((set >> DeviceMap::slot & 1) == 0) return m;
  map.resize(input.take<std::uint8_t>() % 132);
  for (DevicePair& pair : map) {
    const auto mask = static_cast<std::int8_t>(wild ? -1 : 63);
    pair.source = {static_cast<std::int8_t>(input.take<std::int8_t>() & mask),
                   input.take<std::int8_t>()};
    pair.target = {static_cast<std::int8_t>(input.take<std::int8_t>() & mask),
                   input.take<std::int8_t>()};
    if (!wild) pair.source.index = static_cast<std::int8_t>(pair.source.index & 127);
    if (!wild) pair.target.index = static_cast<std::int8_t>(pair.target.index & 127);
  }
  m.device_map = map;
  return m;
}

/// All writers give the same bytes, or the same error and no byte.
fuzz::Bytes written(const AutogradMetadata& m, std::size_t payload_size) {
  std::array<std::byte, 700> room{};
  const auto size = gradtail::write_trailer(room, m, payload_size);
  fuzz::Bytes message(payload_size, std::byte{0x5A});
  const auto appended = gradtail::append(message, m);
  const auto trailer = gradtail::Trailer::make(m, payload_size);
  fuzz::require(appended.has_value() == size.has_value(), "append accepts what the writer does");
  fuzz::require(trailer.has_value() == size.has_value(), "Trailer accepts what the writer does");
  if (!size) {
    fuzz::require(appended.error() == size.error() && trailer.error() == size.error(), "one error");
    fuzz::require(message == fuzz::Bytes(payload_size, std::byte{0x5A}), "append changed nothing");
    fuzz::require(std::ranges::count(room, std::byte{0}) == 700, "the writer wrote nothing");
    return {};
  }
  const auto bytes = std::span(room).first(*size);
  fuzz::require(*size == gradtail::trailer_size(m), "the size was known");
  fuzz::require(std::ranges::equal(trailer->bytes(), bytes), "Trailer writes the same");
  fuzz::require(std::ranges::equal(std::span(message).subspan(payload_size), bytes), "and append");
  return message;
}

/// With the map in the order in which it is written.
void check_reads(const fuzz::Bytes& message, const AutogradMetadata& m,
                 std::vector<DevicePair> map) {
  std::ranges::sort(map, [](const DevicePair& a, const DevicePair& b) {
    return std::pair(a.source.type, a.source.index) < std::pair(b.source.type, b.source.index);
  });
  AutogradMetadata sorted = m;
  sorted.device_map = map;
  const std::size_t payload_size = message.size() - gradtail::trailer_size(m);
  fuzz::require(std::ranges::equal(std::span(message).subspan(payload_size),
                                   reference::trailer_of(sorted, payload_size)),
                "the writer and FlatBufferBuilder write the same");
  const auto opened = gradtail::open(message);
  fuzz::require(opened.has_value(), "what was written is accepted");
  fuzz::require(opened->metadata() == sorted, "and reads as it was given");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  std::vector<DevicePair> map;
  const AutogradMetadata m = metadata_of(input, map);
  const auto payload_size = input.take<std::uint8_t>();
  fuzz::Bytes message = written(m, payload_size);
  if (message.empty()) return 0;
  check_reads(message, m, map);
  const fuzz::Bytes original = message;
  for (int changes = input.take<std::uint8_t>() % 4; changes-- > 0;) {
    const std::size_t at =
        payload_size + input.take<std::uint16_t>() % (message.size() - payload_size);
    message[at] ^= static_cast<std::byte>(1U << input.take<std::uint8_t>() % 8);
  }
  if (message == original) return 0;
  fuzz::require(!gradtail::open(message), "a trailer with 1 to 3 bits flipped is refused");
  return 0;
}
