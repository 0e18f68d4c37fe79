// SPDX-License-Identifier: Apache-2.0
// gradtail's writers and readers.
#include "gradtail_codec.hpp"

namespace bench {
namespace {

bool append_trailer(std::vector<std::byte>& buffer, const Scalars& scalars) {
  return gradtail::append(buffer, metadata_of(scalars)).has_value();
}

/// The trailer as one more segment of a gather write.
class TrailerRow {
 public:
  static bool ready() { return true; }
  [[gnu::always_inline]] bool run(std::size_t i) const {
    const auto trailer = gradtail::Trailer::make(metadata_of(sent[i]), payload_size_);
    if (!trailer) return false;
    benchmark::DoNotOptimize(trailer->bytes().data());
    return true;
  }

 private:
  std::uint64_t payload_size_ = usual_payload;
};

/// Messages of two segments, the second one with the last `second_size` bytes.
template <std::size_t second_size>
class SegmentsRow {
 public:
  bool ready() {
    if (!fill(codec_, ring_)) return false;
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

 private:
  Forward codec_;
  Ring ring_;
  std::array<std::array<std::span<const std::byte>, 2>, ring_size> messages_;
};

/// A container over memory that is there, which keeps its bytes when it shrinks: a message in it
/// can be stripped again and again.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::span<std::byte> memory) : memory_(memory), size_(memory.size()) {}

  [[nodiscard]] std::byte* begin() { return memory_.data(); }
  [[nodiscard]] std::byte* end() { return memory_.data() + size_; }
  [[nodiscard]] const std::byte* begin() const { return memory_.data(); }
  [[nodiscard]] const std::byte* end() const { return memory_.data() + size_; }
  [[nodiscard]] std::size_t capacity() const { return memory_.size(); }
  void reserve(std::size_t) {}
  void resize(std::size_t size) { size_ = size; }

  /// All of its memory is the message again.
  void restore() { size_ = memory_.size(); }

 private:
  std::span<std::byte> memory_;
  std::size_t size_ = 0;
};

class StripRow {
 public:
  bool ready() {
    if (!fill(codec_, ring_)) return false;
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

 private:
  Forward codec_;
  Ring ring_;
  std::array<Buffer, ring_size> messages_;
};

[[maybe_unused]] const bool added[] = {
    add_row<WriteRow<Forward>>("write/write_trailer"),
    add_row<WriteRow<Backward>>("write/write_trailer, backward"),
    add_row<TrailerRow>("write/Trailer"),
    add_row<AppendRow<append_trailer>>("write/append"),
    add_row<GrowingAppendRow<append_trailer>>("write/append, growing"),
    add_row<WriteRow<WithPairs<8>>>("write/write_trailer, 8 pairs"),
    add_row<WriteRow<WithPairs<128>>>("write/write_trailer, 128 pairs"),
    add_row<ReadRow<Forward>>("read/open"),
    add_row<ReadRow<Forward, 1>>("read/open, misaligned"),
    add_row<ReadRow<Backward>>("read/open, backward"),
    add_row<SegmentsRow<64>>("read/open, 2 segments"),
    add_row<SegmentsRow<24>>("read/open, 2 segments, straddling"),
    add_row<StripRow>("read/strip"),
    add_row<ReadRow<WithPairs<8>>>("read/open, 8 pairs"),
    add_row<ReadRow<WithPairs<128>>>("read/open, 128 pairs"),
};

}  // namespace
}  // namespace bench
