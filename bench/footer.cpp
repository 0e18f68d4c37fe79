// SPDX-License-Identifier: Apache-2.0
// The footer of the peers, for CPUs with SSE 4.2: nothing here is slower than it has to be.
#include "footer.hpp"

#include <nmmintrin.h>

#include "job.hpp"

namespace bench {
namespace {

constexpr std::uint32_t magic = 0xA74C5447;
constexpr std::uint16_t version = 1;
constexpr std::size_t limit = 4096;

[[gnu::target("sse4.2")]] std::uint32_t checksum(const std::byte* bytes, std::size_t size,
                                                 std::uint64_t payload_size) {
  std::uint64_t crc = 0xFFFFFFFF;
  for (; size >= 8; size -= 8, bytes += 8) crc = _mm_crc32_u64(crc, load<std::uint64_t>(bytes));
  auto narrow = static_cast<std::uint32_t>(crc);
  for (; size != 0; --size, ++bytes) narrow = _mm_crc32_u8(narrow, load<std::uint8_t>(bytes));
  return ~static_cast<std::uint32_t>(_mm_crc32_u64(narrow, payload_size));
}

}  // namespace

std::size_t seal(std::byte* table, std::size_t size, std::uint64_t payload_size) {
  std::byte* footer = table + size;
  store(footer, (size + footer_size) | std::uint64_t{version} << 32);
  store(footer + 8, checksum(table, size + 8, payload_size));
  store(footer + 12, magic);
  return size + footer_size;
}

std::span<const std::byte> unseal(std::span<const std::byte> message) {
  if (message.size() < footer_size) return {};
  const std::byte* footer = message.data() + message.size() - footer_size;
  if (load<std::uint32_t>(footer + 12) != magic) return {};
  if (load<std::uint16_t>(footer + 4) != version) return {};
  if (load<std::uint16_t>(footer + 6) != 0) return {};
  const std::size_t size = load<std::uint32_t>(footer);
  if (size > message.size() || size < footer_size || size > limit) return {};
  const std::span<const std::byte> trailer = message.last(size);
  const std::uint32_t sum = checksum(trailer.data(), size - 8, message.size() - size);
  if (load<std::uint32_t>(footer + 8) != sum) return {};
  return trailer.first(size - footer_size);
}

}  // namespace bench
