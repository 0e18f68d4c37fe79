// SPDX-License-Identifier: Apache-2.0
// Times the rows without any format.
#include <array>
#include <vector>

#include "floor_way.hpp"

namespace bench {
namespace {

/// The floor behind vectors that have room: what every writer pays for a container that grows.
class FloorAppendRow {
 public:
  bool ready() {
    for (auto& buffer : buffers_) {
      buffer.reserve(usual_payload + floor_size);
      buffer.resize(usual_payload);
    }
    return true;
  }
  [[gnu::always_inline]] bool run(std::size_t i) {
    std::array<std::byte, floor_size> trailer;
    floor_write(trailer.data(), sent[i], usual_payload);
    buffers_[i].insert(buffers_[i].end(), trailer.begin(), trailer.end());
    benchmark::ClobberMemory();
    buffers_[i].resize(usual_payload);
    return true;
  }
  [[nodiscard]] static std::size_t wire() { return 0; }

 private:
  std::array<std::vector<std::byte>, ring_size> buffers_;
};

BENCHMARK(time_row<NothingRow>)->Name("loop");
BENCHMARK(time_row<WriteRow<Struct>>)->Name("write/struct");
BENCHMARK(time_row<ReadRow<Struct>>)->Name("read/struct");
BENCHMARK(time_row<WriteRow<Floor>>)->Name("write/floor");
BENCHMARK(time_row<FloorAppendRow>)->Name("write/floor, append");
BENCHMARK(time_row<ReadRow<Floor>>)->Name("read/floor");

}  // namespace
}  // namespace bench
