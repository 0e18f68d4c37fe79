// SPDX-License-Identifier: Apache-2.0
// Checks 1 to 7 of FORMAT.md, section 6, and the order of all.
#include "plain.hpp"

#include <array>

#include "plain_table.hpp"

namespace plain {
namespace {

using gradtail::Check;
using gradtail::Code;
using gradtail::Error;
using gradtail::Field;

Answer refuse(Code code, Check check, std::size_t offset) {
  Answer answer;
  answer.error = Error{code, check, Field::none, offset};
  return answer;
}

using CrcTables = std::array<std::array<std::uint32_t, 256>, 8>;

/// Row k: what a byte does to the sum when k more bytes follow it.
CrcTables make_crc_tables() {
  CrcTables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc % 2 != 0 ? 0x82F63B78U : 0U);
    tables[0][byte] = crc;
  }
  for (std::size_t row = 1; row < 8; ++row) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t crc = tables[row - 1][byte];
      tables[row][byte] = crc >> 8 ^ tables[0][crc % 256];
    }
  }
  return tables;
}

std::uint32_t add_to_crc(std::uint32_t crc, std::uint64_t eight_bytes) {
  static const CrcTables tables = make_crc_tables();
  eight_bytes ^= crc;
  std::uint32_t next = 0;
  for (std::size_t i = 0; i < 8; ++i) next ^= tables[7 - i][eight_bytes >> (8 * i) & 0xFF];
  return next;
}

}  // namespace

std::uint32_t checksum(Bytes summed, std::uint64_t payload_size) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (std::size_t at = 0; at < summed.size(); at += 8)
    crc = add_to_crc(crc, number(summed, at, 8));
  return ~add_to_crc(crc, payload_size);
}

Answer read_table(Bytes table, std::size_t payload_size) {
  constexpr std::uint64_t agmd = 'A' | 'G' << 8 | 'M' << 16 | 'D' << 24;
  if (number(table, 4, 4) != agmd) {
    return refuse(Code::unsupported, Check::identifier, payload_size + 4);
  }
  Answer answer;
  answer.payload_size = payload_size;
  answer.rule = read_layout(table, answer.fields);
  if (answer.rule != Rule::none) {
    answer.error = Error{Code::invalid, Check::layout, Field::none, payload_size};
  } else if (const BadField bad = first_bad_field(table, answer.fields); bad.field != Field::none) {
    answer.error = Error{Code::invalid, Check::values, bad.field, payload_size + bad.at};
  }
  return answer;
}

Answer open(Bytes message, std::size_t limit) {
  const std::size_t n = message.size();
  if (n < 16) return refuse(Code::absent, Check::magic, 0);
  const Bytes footer = message.last(16);
  if (number(footer, 12, 4) != 0xA74C5447) return refuse(Code::absent, Check::magic, n - 4);
  if (number(footer, 4, 2) != 1) return refuse(Code::unsupported, Check::version, n - 12);
  if (number(footer, 6, 2) != 0) return refuse(Code::unsupported, Check::required_flags, n - 10);
  const std::size_t size = size_at(footer, 0, 4);
  if (size > n) return refuse(Code::corrupt, Check::trailer_size, n - 16);
  if (size < 32) return refuse(Code::corrupt, Check::trailer_size, n - 16);
  if (size % 8 != 0) return refuse(Code::corrupt, Check::trailer_size, n - 16);
  if (size > limit) return refuse(Code::too_large, Check::limit, n - 16);
  const Bytes trailer = message.last(size);
  const std::size_t payload_size = n - trailer.size();
  if (number(footer, 8, 4) != checksum(trailer.first(trailer.size() - 8), payload_size)) {
    return refuse(Code::corrupt, Check::checksum, n - 8);
  }
  return read_table(trailer.first(trailer.size() - 16), payload_size);
}

}  // namespace plain
