// SPDX-License-Identifier: Apache-2.0
// gradtail as a row has it: write_trailer and open.
#pragma once

#include <vector>

#include "gradtail/gradtail.hpp"
#include "rows.hpp"

namespace bench {

/// `count` device pairs: a node's GPUs, and other devices once these run out.
inline std::vector<gradtail::DevicePair> device_pairs(std::size_t count) {
  std::vector<gradtail::DevicePair> map;
  for (std::size_t i = 0; i < count; ++i) {
    const auto type = static_cast<std::int8_t>(1 + i / 64);
    const auto index = static_cast<std::int8_t>(i % 64);
    map.push_back({{type, index}, {type, static_cast<std::int8_t>(63 - index)}});
  }
  return map;
}

inline gradtail::AutogradMetadata metadata_of(const Scalars& scalars,
                                              std::span<const gradtail::DevicePair> map = {}) {
  return {.context_id = scalars.context_id,
          .message_id = scalars.message_id,
          .from_worker_id = scalars.from_worker_id,
          .wrapped_message_type = scalars.wrapped_message_type,
          .device_map = map};
}

inline Scalars scalars_of(const gradtail::AutogradMetadata& metadata) {
  return {metadata.context_id, metadata.message_id, metadata.from_worker_id,
          metadata.wrapped_message_type};
}

/// With `pair_count` device pairs behind the scalars.
template <std::size_t pair_count = 0>
class Gradtail {
 public:
  std::size_t write(std::span<std::byte> room, const Scalars& scalars, std::uint64_t payload) {
    return gradtail::write_trailer(room, metadata_of(scalars, map_), payload).value_or(0);
  }

  template <class Use>
  bool read(std::span<const std::byte> message, Use use) {
    const auto opened = gradtail::open(message);
    if (!opened) return false;
    if constexpr (pair_count != 0) benchmark::DoNotOptimize(opened->metadata().device_map);
    use(scalars_of(opened->metadata()), opened->payload());
    return true;
  }

 private:
  std::vector<gradtail::DevicePair> map_ = device_pairs(pair_count);
};

template <>
inline std::size_t Gradtail<0>::write(std::span<std::byte> room, const Scalars& scalars,
                                      std::uint64_t payload) {
  return gradtail::write_trailer(room, metadata_of(scalars), payload).value_or(0);
}

}  // namespace bench
