// SPDX-License-Identifier: Apache-2.0
// Every writer and reader with every set of fields, in a program that builds where doctest doesn't:
// without exceptions and RTTI, and under MemorySanitizer, which sees each byte that isn't written.
#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <span>
#include <vector>

#include "gradtail/gradtail.hpp"
#include "reference.hpp"

#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#include <sanitizer/msan_interface.h>
#define HAS_MEMORY_SANITIZER
#endif
#endif

using gradtail::AutogradMetadata;
using gradtail::DevicePair;
using gradtail::TrailerScratch;
using reference::Bytes;

namespace {

/// Whether every byte has been written. Only MemorySanitizer knows; without it, they have.
bool initialised([[maybe_unused]] std::span<const std::byte> bytes) {
#ifdef HAS_MEMORY_SANITIZER
  return __msan_test_shadow(bytes.data(), bytes.size()) == -1;
#else
  return true;
#endif
}

/// Leaves new elements of a container as the memory is, so that it's up to the writer to set them.
struct Uninitialised : std::allocator<std::byte> {
  template <class T>
  struct rebind {  // NOLINT: the name that std::allocator_traits asks for
    using other = Uninitialised;
  };
  void construct(std::byte* at) { ::new (at) std::byte; }
  void construct(std::byte* at, std::byte value) { ::new (at) std::byte(value); }
};

using Buffer = std::vector<std::byte, Uninitialised>;

/// One message to write and read.
struct Case {
  Case(const AutogradMetadata& fields, std::size_t size)
      : metadata(fields),
        payload(reference::payload_of(size)),
        trailer(reference::trailer_of(fields, size)) {}

  /// Whether these bytes are the trailer, and all written. Equality can't be asked for before.
  [[nodiscard]] bool is_trailer(std::span<const std::byte> bytes) const {
    return initialised(bytes) && std::ranges::equal(bytes, trailer);
  }

  const AutogradMetadata& metadata;
  Bytes payload;
  Bytes trailer;
};

bool writes(const Case& c) {
  constexpr std::size_t offsets = 8;
  bool good = true;
  for (std::size_t offset = 0; offset < offsets; ++offset) {
    Buffer fresh(c.trailer.size() + offsets);
    const auto room = std::span(fresh).subspan(offset, c.trailer.size());
    const auto size = gradtail::write_trailer(room, c.metadata, c.payload.size());
    good = good && size && *size == room.size() && c.is_trailer(room);
  }
  return good;
}

bool makes(const Case& c) {
  const auto made = gradtail::Trailer::make(c.metadata, c.payload.size());
  if (!made || !c.is_trailer(made->bytes())) return false;
  const gradtail::Trailer copy = *made;
  return c.is_trailer(copy.bytes());
}

bool appends_opens_and_strips(const Case& c) {
  Buffer message(c.payload.begin(), c.payload.end());
  if (!gradtail::append(message, c.metadata)) return false;
  const std::span<const std::byte> bytes = message;
  if (!c.is_trailer(bytes.subspan(c.payload.size()))) return false;

  const auto opened = gradtail::open(bytes);
  if (!opened || opened->metadata() != c.metadata) return false;

  const std::size_t cut = c.payload.size() + 13;
  const std::array pieces = {bytes.first(cut), bytes.subspan(cut)};
  TrailerScratch scratch;
  const auto gathered = gradtail::open(pieces, scratch);
  if (!gathered || gathered->metadata() != c.metadata || !c.is_trailer(gathered->trailer())) {
    return false;
  }

  const auto stripped = gradtail::strip(message, scratch);
  return stripped && stripped->metadata() == c.metadata && c.is_trailer(stripped->trailer()) &&
         std::ranges::equal(message, c.payload);
}

/// Without this the checks above could hold for no reason.
bool memory_that_nobody_wrote_is_seen() {
#ifdef HAS_MEMORY_SANITIZER
  Buffer buffer(8);
  std::fill_n(buffer.begin(), 7, std::byte{1});
  return !initialised(buffer) && initialised(std::span(buffer).first(7));
#else
  return true;
#endif
}

struct Count {
  void add(bool good, const char* name, unsigned set, const Case& c) {
    ++(good ? passed : failed);
    if (good) return;
    std::printf("FAILED %s: fields 0x%02X, %zu pairs, payload of %zu bytes\n", name, set,
                c.metadata.device_map.size(), c.payload.size());
  }
  int passed = 0;
  int failed = 0;
};

}  // namespace

int main() {
  constexpr std::size_t pair_counts[] = {0, 1, 2, 7, 128};
  constexpr std::size_t payload_sizes[] = {0, 1, 100};
  const std::vector<DevicePair> all = reference::pairs(gradtail::max_device_pairs);
  Count count;
  if (!memory_that_nobody_wrote_is_seen()) {
    std::puts("MemorySanitizer takes memory that nobody wrote for written");
    return 1;
  }
  for (const auto set : reference::all_sets) {
    for (const std::size_t pairs : pair_counts) {
      const AutogradMetadata metadata = reference::fields_of(set, std::span(all).first(pairs));
      for (const std::size_t payload_size : payload_sizes) {
        const Case c(metadata, payload_size);
        count.add(writes(c), "write_trailer", set, c);
        count.add(makes(c), "Trailer::make", set, c);
        count.add(appends_opens_and_strips(c), "append, open, strip", set, c);
      }
    }
  }
  std::printf("%d passed, %d failed\n", count.passed, count.failed);
  return count.failed == 0 ? 0 : 1;
}
