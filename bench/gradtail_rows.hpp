// SPDX-License-Identifier: Apache-2.0
// The rest of gradtail's ways, as rows: Trailer, append, segments, strip.
#pragma once

#include "buffer.hpp"
#include "gradtail_way.hpp"

namespace bench {

/// The trailer as one more segment of a gather write.
class TrailerRow {
 public:
  [[nodiscard]] static bool ready() { return true; }
  [[nodiscard, gnu::always_inline]] bool run(std::size_t i) const {
    const auto trailer = gradtail::Trailer::make(metadata_of(sent[i]), payload_size_);
    if (!trailer) return false;
    benchmark::DoNotOptimize(trailer->bytes().data());
    return true;
  }
  [[nodiscard]] static std::size_t wire() { return 0; }

 private:
  std::uint64_t payload_size_ = usual_payload;
};

/// To vectors that have room.
class AppendRow {
 public:
  bool ready() {
    for (auto& buffer : buffers_) {
      buffer.reserve(usual_payload + gradtail::max_trailer_size);
      buffer.resize(usual_payload);
    }
    return true;
  }
  [[gnu::always_inline]] bool run(std::size_t i) {
    const auto done = gradtail::append(buffers_[i], metadata_of(sent[i]));
    benchmark::ClobberMemory();
    buffers_[i].resize(usual_payload);
    return done.has_value();
  }
  [[nodiscard]] static std::size_t wire() { return 0; }

 private:
  std::array<std::vector<std::byte>, ring_size> buffers_;
};

/// Messages of two segments, the second one with the last `second_size` bytes.
template <std::size_t second_size>
class SegmentsRow {
 public:
  bool ready() {
    if (!fill(way_, ring_)) return false;
    for (std::size_t i = 0; i < ring_size; ++i) {
      const auto message = ring_.message(i);
      messages_[i] = {message.first(message.size() - second_size), message.last(second_size)};
    }
    return true;
  }
  [[gnu::always_inline]] bool run(std::size_t i) {
    gradtail::TrailerScratch scratch;
    const auto opened = gradtail::open(messages_[i], scratch);
    if (!opened) return false;
    consume(scalars_of(opened->metadata()), *opened->payload().begin());
    return true;
  }
  [[nodiscard]] static std::size_t wire() { return 0; }

 private:
  Gradtail<> way_;
  Ring ring_;
  std::array<std::array<std::span<const std::byte>, 2>, ring_size> messages_;
};

class StripRow {
 public:
  bool ready() {
    if (!fill(way_, ring_)) return false;
    for (std::size_t i = 0; i < ring_size; ++i) messages_[i] = Buffer(ring_.writable(i));
    return true;
  }
  [[gnu::always_inline]] bool run(std::size_t i) {
    gradtail::TrailerScratch scratch;
    const auto taken = gradtail::strip(messages_[i], scratch);
    if (!taken) return false;
    consume(scalars_of(taken->metadata()), messages_[i]);
    messages_[i].restore();
    return true;
  }
  [[nodiscard]] static std::size_t wire() { return 0; }

 private:
  Gradtail<> way_;
  Ring ring_;
  std::array<Buffer, ring_size> messages_;
};

}  // namespace bench
