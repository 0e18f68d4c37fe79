// SPDX-License-Identifier: Apache-2.0
// Payloads from 64 B to 256 MiB: the same time, because nothing touches them.
#include <sys/mman.h>

#include "buffer.hpp"
#include "gradtail_codec.hpp"

namespace bench {
namespace {

constexpr std::size_t trailer = 64;

/// Messages in memory of which only the pages of the trailers are ever there.
class Mapped {
 public:
  explicit Mapped(std::size_t payload) : size_(ring_size * (payload + gap)) {
    void* memory = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return;
    memory_ = static_cast<std::byte*>(memory);
    for (std::size_t i = 0; i < ring_size; ++i) {
      messages_[i] = {memory_ + i * (payload + gap), payload + trailer};
    }
  }
  ~Mapped() {
    if (memory_ != nullptr) ::munmap(memory_, size_);
  }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;

  [[nodiscard]] bool there() const { return memory_ != nullptr; }
  [[nodiscard]] std::span<std::byte> message(std::size_t i) const { return messages_[i]; }

 private:
  // Two pages, so that all sizes have each trailer on a page of its own; and an odd number of cache
  // lines, so that the trailers don't compete for the same ones of the cache.
  static constexpr std::size_t gap = 8192 + 5 * 64;

  std::size_t size_;
  std::byte* memory_ = nullptr;
  std::array<std::span<std::byte>, ring_size> messages_;
};

bool write_message(std::span<std::byte> message, const Scalars& scalars) {
  const std::size_t payload = message.size() - trailer;
  const auto size = gradtail::write_trailer(message.last(trailer), metadata_of(scalars), payload);
  return size.has_value();
}

bool open_message(std::span<const std::byte> message, const Scalars&) {
  const auto opened = gradtail::open(message);
  if (!opened) return false;
  consume(scalars_of(opened->metadata()), opened->payload());
  return true;
}

bool strip_message(std::span<std::byte> message, const Scalars&) {
  Buffer buffer(message);
  gradtail::TrailerScratch scratch;
  const auto taken = gradtail::strip(buffer, scratch);
  if (!taken) return false;
  consume(scalars_of(taken->metadata()), buffer);
  return true;
}

template <auto use, std::size_t payload_size>
class PayloadRow {
 public:
  bool ready() {
    for (std::size_t i = 0; memory_.there() && i < ring_size; ++i) {
      write_message(memory_.message(i), sent[i]);
    }
    return memory_.there();
  }
  [[gnu::always_inline]] bool run(std::size_t i) { return use(memory_.message(i), sent[i]); }

 private:
  Mapped memory_{payload_size};
};

[[maybe_unused]] const bool added[] = {
    add_row<PayloadRow<write_message, 64>>("payload/write, 64 B"),
    add_row<PayloadRow<write_message, 1 << 20>>("payload/write, 1 MiB"),
    add_row<PayloadRow<write_message, 256 << 20>>("payload/write, 256 MiB"),
    add_row<PayloadRow<open_message, 64>>("payload/open, 64 B"),
    add_row<PayloadRow<open_message, 1 << 20>>("payload/open, 1 MiB"),
    add_row<PayloadRow<open_message, 256 << 20>>("payload/open, 256 MiB"),
    add_row<PayloadRow<strip_message, 64>>("payload/strip, 64 B"),
    add_row<PayloadRow<strip_message, 1 << 20>>("payload/strip, 1 MiB"),
    add_row<PayloadRow<strip_message, 256 << 20>>("payload/strip, 256 MiB"),
};

}  // namespace
}  // namespace bench
