// SPDX-License-Identifier: Apache-2.0
// Rows without any format: the loop by itself, a struct that nobody checks, and the floor.
#include <cstring>

#include "floor.hpp"
#include "row.hpp"

namespace bench {
namespace {

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

/// What the loop itself costs, in every row.
class NothingRow {
 public:
  bool ready() {
    for (std::size_t i = 0; i < ring_size; ++i) ring_.finish(i, 0);
    return true;
  }
  bool run(std::size_t i) {
    consume(sent[i], ring_.message(i));
    return true;
  }

 private:
  Ring ring_;
};

bool append_floor(std::vector<std::byte>& buffer, const Scalars& scalars) {
  std::array<std::byte, floor_size> trailer;
  floor_write(trailer.data(), scalars, usual_payload);
  buffer.insert(buffer.end(), trailer.begin(), trailer.end());
  return true;
}

[[maybe_unused]] const bool added[] = {
    add_row<NothingRow>("loop"),
    add_row<WriteRow<Struct>>("write/struct"),
    add_row<ReadRow<Struct>>("read/struct"),
    add_row<WriteRow<Floor>>("write/floor"),
    add_row<AppendRow<append_floor>>("write/floor, append"),
    add_row<GrowingAppendRow<append_floor>>("write/floor, append, growing"),
    add_row<ReadRow<Floor>>("read/floor"),
};

}  // namespace
}  // namespace bench
