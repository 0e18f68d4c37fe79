// SPDX-License-Identifier: Apache-2.0
// Trailers made without the library: FlatBufferBuilder for the table, a bitwise CRC for the footer.
#include "reference.hpp"

#include <cstring>
#include <tuple>
#include <type_traits>

#include "autograd_metadata_generated.h"

namespace reference {
namespace {

void put(Bytes& to, std::uint64_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) to.push_back(static_cast<std::byte>(value >> (8 * i)));
}

void set_checksum(std::span<std::byte> trailer, std::uint64_t payload_size) {
  const std::uint32_t checksum = checksum_of(trailer, payload_size);
  const std::span stored = trailer.last(8);
  for (std::size_t i = 0; i < 4; ++i) stored[i] = static_cast<std::byte>(checksum >> (8 * i));
}

}  // namespace

std::uint32_t crc32c(std::span<const std::byte> bytes) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const std::byte byte : bytes) {
    crc ^= std::to_integer<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82F63B78 : 0);
  }
  return ~crc;
}

std::uint64_t number(std::span<const std::byte> bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;)
    value = value << 8 | std::to_integer<unsigned>(bytes[at + i]);
  return value;
}

std::uint32_t checksum_of(std::span<const std::byte> trailer, std::uint64_t payload_size) {
  Bytes summed(trailer.begin(), trailer.end() - 8);
  put(summed, payload_size, 8);
  return crc32c(summed);
}

Bytes trailer_around(Bytes table, std::uint64_t payload_size) {
  while (table.size() % 8 != 0) table.push_back(std::byte{0});
  put(table, table.size() + 16, 4);
  put(table, 1, 2);
  put(table, 0, 2);
  put(table, 0xA74C544700000000, 8);
  set_checksum(table, payload_size);
  return table;
}

void mend_checksum(Bytes& message) {
  const auto size = static_cast<std::size_t>(number(message, message.size() - 16, 4));
  set_checksum(std::span(message).last(size), message.size() - size);
}

Bytes table_of(const gradtail::AutogradMetadata& m) {
  using namespace gradtail::detail;
  flatbuffers::FlatBufferBuilder builder;
  std::vector<gradtail::fbs::DevicePair> pairs;
  for (const auto& [source, target] : m.device_map) {
    pairs.emplace_back(gradtail::fbs::Device(source.type, source.index),
                       gradtail::fbs::Device(target.type, target.index));
  }
  flatbuffers::Offset<flatbuffers::Vector<const gradtail::fbs::DevicePair*>> map;
  if (!pairs.empty()) map = builder.CreateVectorOfStructs(pairs);
  const Either argument{[&](const ScalarField auto& f) { return f.get(m); },
                        [&](const DeviceMap&) { return map; }};
  const auto table = std::apply(
      [&](const auto&... f) {
        return gradtail::fbs::CreateAutogradMetadata(builder, argument(f)...);
      },
      fields);
  gradtail::fbs::FinishAutogradMetadataBuffer(builder, table);
  Bytes bytes(builder.GetSize());
  std::memcpy(bytes.data(), builder.GetBufferPointer(), bytes.size());
  return bytes;
}

Bytes trailer_of(const gradtail::AutogradMetadata& metadata, std::uint64_t payload_size) {
  return trailer_around(table_of(metadata), payload_size);
}

std::vector<gradtail::DevicePair> pairs(std::size_t count) {
  std::vector<gradtail::DevicePair> map;
  for (std::size_t i = 0; i < count; ++i) {
    const auto n = static_cast<int>(i);
    map.push_back(
        {{static_cast<std::int8_t>(n / 3), static_cast<std::int8_t>(n % 3 - 1)},
         {static_cast<std::int8_t>(63 - n % 64), static_cast<std::int8_t>(127 - n / 64)}});
  }
  return map;
}

gradtail::AutogradMetadata fields_of(gradtail::detail::FieldSet set,
                                     std::span<const gradtail::DevicePair> map) {
  using namespace gradtail::detail;
  gradtail::AutogradMetadata m;
  const auto set_scalar = [&](const ScalarField auto& f) {
    if ((set >> f.slot & 1) == 0) return;
    using Field = std::decay_t<decltype(f)>;
    if constexpr (std::is_same_v<decltype(Field::absent), bool>) {
      m.*f.member = !f.absent;
    } else {
      // No byte is in two fields: 10 11 12 13 14 15 16 17, 18 19 1A and so on.
      constexpr std::uint64_t first = 0x1716151413121110;
      constexpr std::uint64_t step = 0x0808080808080808;
      static_assert(Field::slot < 13, "0x17 + 13 * 8 is the largest positive byte");
      m.*f.member = static_cast<decltype(Field::absent)>(first + f.slot * step);
    }
  };
  const auto set_map = [&](const DeviceMap& f) {
    if ((set >> f.slot & 1) != 0) m.device_map = map;
  };
  for_each_field(Either{set_scalar, set_map});
  return m;
}

std::span<const Invalid> invalid_metadata() {
  using enum gradtail::Field;
  using Map = std::vector<gradtail::DevicePair>;
  static const Map types = {{{0, 0}, {64, 0}}};
  static const Map indices = {{{0, -2}, {0, 0}}};
  static const Map sources = {{{0, 0}, {0, 0}}, {{0, 0}, {0, 1}}};
  static const Map targets = {{{0, 0}, {0, 0}}, {{0, 1}, {0, 0}}};
  static const Map many(129);
  static const Invalid all[] = {
      {context_id, {.context_id = -2}},
      {message_id, {.message_id = INT64_MIN}},
      {from_worker_id, {.from_worker_id = -2}},
      {device_map_size, {.device_map = many}},
      {device_map_type, {.device_map = types}},
      {device_map_index, {.device_map = indices}},
      {device_map_source, {.device_map = sources}},
      {device_map_target, {.device_map = targets}},
      {rref_created_on, {.rref_created_on = INT32_MIN}},
      {rref_local_id, {.rref_local_id = -2}},
  };
  return all;
}

Bytes payload_of(std::size_t size) {
  Bytes payload;
  for (std::size_t i = 0; i < size; ++i) {
    payload.push_back(static_cast<std::byte>((i * 31 + 7) % 255 + 1));
  }
  return payload;
}

void add_trailer(Bytes& message, const gradtail::AutogradMetadata& metadata) {
  add_trailer(message, metadata, message.size());
}

void add_trailer(Bytes& message, const gradtail::AutogradMetadata& metadata,
                 std::uint64_t payload_size) {
  const Bytes trailer = trailer_of(metadata, payload_size);
  message.insert(message.end(), trailer.begin(), trailer.end());
}

Bytes message_of(std::size_t payload_size, const gradtail::AutogradMetadata& metadata) {
  Bytes message = payload_of(payload_size);
  add_trailer(message, metadata);
  return message;
}

}  // namespace reference
