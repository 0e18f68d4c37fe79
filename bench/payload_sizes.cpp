// SPDX-License-Identifier: Apache-2.0
// Payloads from 64 B to 256 MiB: the same time, as nobody touches them.
#include <sys/mman.h>

#include "buffer.hpp"
#include "gradtail_way.hpp"

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

template <auto use>
void payload_row(benchmark::State& state) {
  const Mapped memory(static_cast<std::size_t>(state.range(0)));
  if (!memory.there()) return state.SkipWithError("no address space");
  for (std::size_t i = 0; i < ring_size; ++i) write_message(memory.message(i), sent[i]);
  benchmark::DoNotOptimize(&memory);
  std::size_t i = 0;
  for (auto _ : state) {
    if (!use(memory.message(i), sent[i])) return state.SkipWithError("refused");
    benchmark::ClobberMemory();
    i = (i + 1) % ring_size;
  }
}

void sizes(benchmark::internal::Benchmark* row) {
  for (std::int64_t size = 64; size <= 256 << 20; size *= 16) row->Arg(size);
  row->Arg(256 << 20);
}

BENCHMARK(payload_row<write_message>)->Name("payload/write")->Apply(sizes);
BENCHMARK(payload_row<open_message>)->Name("payload/open")->Apply(sizes);
BENCHMARK(payload_row<strip_message>)->Name("payload/strip")->Apply(sizes);

}  // namespace
}  // namespace bench
