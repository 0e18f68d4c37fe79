// SPDX-License-Identifier: Apache-2.0
// gradtail as a codec: write_trailer and open.
#pragma once

#include <vector>

#include "gradtail/gradtail.hpp"
#include "row.hpp"

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

/// A forward message: all four scalars.
inline gradtail::AutogradMetadata metadata_of(const Scalars& scalars) {
  return {.context_id = scalars.context_id,
          .message_id = scalars.message_id,
          .from_worker_id = scalars.from_worker_id,
          .wrapped_message_type = scalars.wrapped_message_type};
}

inline Scalars scalars_of(const gradtail::AutogradMetadata& metadata) {
  return {metadata.context_id, metadata.message_id, metadata.from_worker_id,
          metadata.wrapped_message_type};
}

struct ReadsWithOpen {
  template <class Use>
  static bool read(std::span<const std::byte> message, Use use) {
    const auto opened = gradtail::open(message);
    if (!opened) return false;
    use(scalars_of(opened->metadata()), opened->payload());
    return true;
  }
};

struct Forward : ReadsWithOpen {
  static std::size_t write(std::span<std::byte> room, const Scalars& scalars,
                           std::uint64_t payload) {
    return gradtail::write_trailer(room, metadata_of(scalars), payload).value_or(0);
  }
};

/// A backward message: the context and the message id alone.
struct Backward : ReadsWithOpen {
  static gradtail::AutogradMetadata metadata_of(const Scalars& scalars) {
    return {.context_id = scalars.context_id, .message_id = scalars.message_id};
  }
  static Scalars kept(const Scalars& scalars) { return scalars_of(metadata_of(scalars)); }

  static std::size_t write(std::span<std::byte> room, const Scalars& scalars,
                           std::uint64_t payload) {
    return gradtail::write_trailer(room, metadata_of(scalars), payload).value_or(0);
  }
};

/// A forward message with a device map.
template <std::size_t pair_count>
class WithPairs {
 public:
  std::size_t write(std::span<std::byte> room, const Scalars& scalars, std::uint64_t payload) {
    gradtail::AutogradMetadata metadata = metadata_of(scalars);
    metadata.device_map = map_;
    return gradtail::write_trailer(room, metadata, payload).value_or(0);
  }

  template <class Use>
  static bool read(std::span<const std::byte> message, Use use) {
    const auto opened = gradtail::open(message);
    if (!opened) return false;
    benchmark::DoNotOptimize(opened->metadata().device_map);
    use(scalars_of(opened->metadata()), opened->payload());
    return true;
  }

 private:
  std::vector<gradtail::DevicePair> map_ = device_pairs(pair_count);
};

}  // namespace bench
