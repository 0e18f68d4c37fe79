// SPDX-License-Identifier: Apache-2.0
// Codecs without any format: a struct that nobody checks, and the floor.
#pragma once

#include <cstring>

#include "floor.hpp"
#include "row.hpp"

namespace bench {

/// memcpy of the struct, and the trust that it is one.
struct Struct {
  static std::size_t write(std::span<std::byte> room, const Scalars& scalars, std::uint64_t) {
    std::memcpy(room.data(), &scalars, sizeof scalars);
    return sizeof scalars;
  }
  template <class Use>
  static bool read(std::span<const std::byte> message, Use use) {
    Scalars scalars;
    const std::size_t size = message.size() - sizeof scalars;
    std::memcpy(&scalars, message.data() + size, sizeof scalars);
    use(scalars, message.first(size));
    return true;
  }
};

struct Floor {
  static std::size_t write(std::span<std::byte> room, const Scalars& scalars,
                           std::uint64_t payload) {
    floor_write(room.data(), scalars, payload);
    return floor_size;
  }
  template <class Use>
  static bool read(std::span<const std::byte> message, Use use) {
    Scalars scalars;
    if (!floor_read(message, scalars)) return false;
    use(scalars, message.first(message.size() - floor_size));
    return true;
  }
};

}  // namespace bench
