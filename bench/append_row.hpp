// SPDX-License-Identifier: Apache-2.0
// Rows that append to a vector: with room for what is appended, and without.
#pragma once

#include "row.hpp"

namespace bench {

/// Appends to vectors that have room. `append(vector, scalars)` returns whether it succeeded.
template <auto append>
class AppendRow {
 public:
  bool ready() {
    for (auto& buffer : buffers_) {
      buffer.reserve(2 * usual_payload);
      buffer.resize(usual_payload);
    }
    return true;
  }
  [[gnu::always_inline]] bool run(std::size_t i) {
    const bool done = append(buffers_[i], sent[i]);
    benchmark::ClobberMemory();
    buffers_[i].resize(usual_payload);
    return done;
  }

 private:
  std::array<std::vector<std::byte>, ring_size> buffers_;
};

/// Copies the payload to a new vector without any room to spare, and appends to that.
template <auto append>
class GrowingAppendRow {
 public:
  static bool ready() { return true; }
  [[gnu::always_inline]] bool run(std::size_t i) {
    std::vector<std::byte> buffer(payload_);
    const bool done = append(buffer, sent[i]);
    benchmark::DoNotOptimize(buffer.data());
    return done;
  }

 private:
  std::vector<std::byte> payload_ = std::vector<std::byte>(usual_payload);
};

}  // namespace bench
