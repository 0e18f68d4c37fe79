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

}  // namespace

std::uint32_t crc32c(std::span<const std::byte> bytes) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const std::byte byte : bytes) {
    crc ^= std::to_integer<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82F63B78 : 0);
  }
  return ~crc;
}

Bytes trailer_around(Bytes table, std::uint64_t payload_size) {
  while (table.size() % 8 != 0) table.push_back(std::byte{0});
  put(table, table.size() + 16, 4);
  put(table, 1, 2);
  put(table, 0, 2);
  Bytes summed = table;
  put(summed, payload_size, 8);
  put(table, crc32c(summed), 4);
  put(table, 0xA74C5447, 4);
  return table;
}

void mend_checksum(Bytes& message) {
  std::uint32_t size = 0;
  for (std::size_t i = 4; i-- > 0;) {
    size = size << 8 | std::to_integer<std::uint32_t>(message[message.size() - 16 + i]);
  }
  const std::size_t payload_size = message.size() - size;
  const auto begin = message.begin() + static_cast<std::ptrdiff_t>(payload_size);
  Bytes summed(begin, message.end() - 8);
  put(summed, payload_size, 8);
  Bytes checksum;
  put(checksum, crc32c(summed), 4);
  std::copy(checksum.begin(), checksum.end(), message.end() - 8);
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

Bytes payload_of(std::size_t size) {
  Bytes payload;
  for (std::size_t i = 0; i < size; ++i) {
    payload.push_back(static_cast<std::byte>((i * 31 + 7) % 255 + 1));
  }
  return payload;
}

Bytes message_of(std::size_t payload_size, const gradtail::AutogradMetadata& metadata) {
  Bytes message = payload_of(payload_size);
  const Bytes trailer = trailer_of(metadata, payload_size);
  message.insert(message.end(), trailer.begin(), trailer.end());
  return message;
}

}  // namespace reference
