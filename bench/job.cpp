// SPDX-License-Identifier: Apache-2.0
// The values that rows send and the memory that they send them in.
#include "job.hpp"

#include <memory>
#include <random>

namespace bench {
namespace {

std::array<Scalars, ring_size> random_scalars() {
  std::mt19937_64 random(1);
  std::array<Scalars, ring_size> all;
  for (Scalars& s : all) {
    const std::uint64_t worker = random() % 64;
    s.context_id = static_cast<std::int64_t>(random() % 64 << 48 | random() >> 16);
    s.message_id = static_cast<std::int64_t>(worker << 48 | random() >> 16);
    s.from_worker_id = static_cast<std::int32_t>(worker);
    s.wrapped_message_type = static_cast<std::uint32_t>(0x100 + random() % 32);
  }
  return all;
}

}  // namespace

alignas(page_size) std::array<Scalars, ring_size> sent = random_scalars();

Ring::Ring(std::size_t offset) : memory_((ring_size + 1) * stride), starts_(), messages_() {
  void* start = memory_.data();
  std::size_t space = memory_.size();
  std::align(page_size, ring_size * stride, start, space);
  for (std::size_t i = 0; i < ring_size; ++i) {
    starts_[i] =
        static_cast<std::byte*>(start) + i * stride + trailer_offset - usual_payload + offset;
  }
}

}  // namespace bench
