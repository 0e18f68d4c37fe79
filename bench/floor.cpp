// SPDX-License-Identifier: Apache-2.0
// The floor, in a translation unit of its own, for CPUs with SSE 4.2.
#include "floor.hpp"

#include <nmmintrin.h>

#include <cstring>

namespace bench {
namespace {

// One word, so that it takes one store and one comparison.
constexpr std::uint64_t size_and_magic = floor_size | std::uint64_t{0x5F464C52} << 32;

[[gnu::target("sse4.2")]] inline std::uint32_t checksum(std::uint64_t context,
                                                        std::uint64_t message,
                                                        std::uint64_t worker_and_type,
                                                        std::uint64_t payload_size) {
  std::uint64_t crc = _mm_crc32_u64(0xFFFFFFFF, context);
  crc = _mm_crc32_u64(crc, message);
  crc = _mm_crc32_u64(crc, worker_and_type);
  return ~static_cast<std::uint32_t>(_mm_crc32_u64(crc, payload_size));
}

}  // namespace

[[gnu::noinline, gnu::target("sse4.2")]] void floor_write(std::byte* to, const Scalars& scalars,
                                                          std::uint64_t payload_size) {
  const auto context = static_cast<std::uint64_t>(scalars.context_id);
  const auto message = static_cast<std::uint64_t>(scalars.message_id);
  const std::uint64_t worker_and_type = static_cast<std::uint32_t>(scalars.from_worker_id) |
                                        std::uint64_t{scalars.wrapped_message_type} << 32;
  store(to, context);
  store(to + 8, message);
  store(to + 16, worker_and_type);
  store(to + 24, checksum(context, message, worker_and_type, payload_size));
  store(to + 28, size_and_magic);
}

[[gnu::noinline, gnu::target("sse4.2")]] bool floor_read(std::span<const std::byte> message,
                                                         Scalars& scalars) {
  if (message.size() < floor_size) return false;
  const std::size_t payload_size = message.size() - floor_size;
  const std::byte* from = message.data() + payload_size;
  if (load<std::uint64_t>(from + 28) != size_and_magic) return false;
  const std::uint32_t sum = checksum(load<std::uint64_t>(from), load<std::uint64_t>(from + 8),
                                     load<std::uint64_t>(from + 16), payload_size);
  if (load<std::uint32_t>(from + 24) != sum) return false;
  std::memcpy(&scalars, from, sizeof scalars);
  return true;
}

}  // namespace bench
