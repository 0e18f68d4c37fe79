// SPDX-License-Identifier: Apache-2.0
// Trailers made without the library: FlatBufferBuilder for the table, a bitwise CRC for the footer.
#include "reference.hpp"

#include <cstring>

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
  namespace fbs = gradtail::fbs;
  flatbuffers::FlatBufferBuilder builder;
  std::vector<fbs::DevicePair> pairs;
  for (const auto& [source, target] : m.device_map) {
    pairs.emplace_back(fbs::Device(source.type, source.index),
                       fbs::Device(target.type, target.index));
  }
  flatbuffers::Offset<flatbuffers::Vector<const fbs::DevicePair*>> map;
  if (!pairs.empty()) map = builder.CreateVectorOfStructs(pairs);
  fbs::FinishAutogradMetadataBuffer(
      builder, fbs::CreateAutogradMetadata(builder, m.context_id, m.message_id, m.from_worker_id,
                                           m.wrapped_message_type, map, m.retain_graph,
                                           m.rref_created_on, m.rref_local_id));
  Bytes table(builder.GetSize());
  std::memcpy(table.data(), builder.GetBufferPointer(), table.size());
  return table;
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

gradtail::AutogradMetadata fields_of(unsigned set, std::span<const gradtail::DevicePair> map) {
  gradtail::AutogradMetadata m;
  if ((set & 1) != 0) m.context_id = 0x7112131415161718;
  if ((set & 2) != 0) m.message_id = 0x2122232425262728;
  if ((set & 4) != 0) m.from_worker_id = 0x31323334;
  if ((set & 8) != 0) m.wrapped_message_type = 0xF1424344;
  if ((set & 16) != 0) m.device_map = map;
  if ((set & 32) != 0) m.retain_graph = true;
  if ((set & 64) != 0) m.rref_created_on = 0x51525354;
  if ((set & 128) != 0) m.rref_local_id = 0x6162636465666768;
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
