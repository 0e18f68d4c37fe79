// SPDX-License-Identifier: Apache-2.0
// Every writer and reader with every set of fields, where nobody may touch the payload and the
// trailer isn't written yet. Valgrind and MemorySanitizer watch that, to the byte.
//
// It builds where doctest doesn't: without exceptions and RTTI. Run it as
// `valgrind -q --error-exitcode=9 --partial-loads-ok=no ./round_trips`; by itself it only compares.
#include <algorithm>
#include <array>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "gradtail/gradtail.hpp"
#include "readers.hpp"
#include "reference.hpp"

#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#include <sanitizer/msan_interface.h>
#define HAS_MEMORY_SANITIZER
#endif
#endif
#ifdef HAS_VALGRIND
#include <valgrind/memcheck.h>
#endif

using gradtail::AutogradMetadata;
using gradtail::TrailerScratch;
using guarded::PinnedBytes;
using reference::Bytes;

namespace {

using Memory = std::span<const std::byte>;

// What the watcher is told: that bytes must not be touched, that they are as fresh memory is, and
// that they are as any other. And what it tells: whether all have been written.
#ifdef HAS_MEMORY_SANITIZER
// It doesn't know forbidden memory, but sees every decision that depends on unwritten bytes.
void forbid(Memory bytes) { __msan_poison(bytes.data(), bytes.size()); }
void forget(Memory bytes) { __msan_poison(bytes.data(), bytes.size()); }
void allow(Memory bytes) { __msan_unpoison(bytes.data(), bytes.size()); }
bool is_written(Memory bytes) { return __msan_test_shadow(bytes.data(), bytes.size()) == -1; }
#elif defined(HAS_VALGRIND)
void forbid(Memory bytes) { VALGRIND_MAKE_MEM_NOACCESS(bytes.data(), bytes.size()); }
void forget(Memory bytes) { VALGRIND_MAKE_MEM_UNDEFINED(bytes.data(), bytes.size()); }
void allow(Memory bytes) { VALGRIND_MAKE_MEM_DEFINED(bytes.data(), bytes.size()); }
bool is_written(Memory bytes) {
  return VALGRIND_CHECK_MEM_IS_DEFINED(bytes.data(), bytes.size()) == 0;
}
#else
void forbid(Memory /*bytes*/) {}
void forget(Memory /*bytes*/) {}
void allow(Memory /*bytes*/) {}
bool is_written(Memory /*bytes*/) { return true; }
#endif

alignas(16) std::array<std::byte, 1024> memory;

/// One message in the middle of forbidden memory: the payload, what is before it and what is behind
/// the trailer.
struct Arena {
  Arena(std::size_t offset, std::size_t payload_size, const AutogradMetadata& fields)
      : metadata(fields),
        trailer(reference::trailer_of(fields, payload_size)),
        message(std::span(memory).subspan(32 + offset, payload_size + trailer.size())),
        room(message.last(trailer.size())) {
    forbid(memory);
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { allow(memory); }

  /// Puts the trailer there, for what reads.
  void fill() const { std::copy(trailer.begin(), trailer.end(), room.begin()); }

  /// Whether these bytes are the trailer, and all written. Equality can't be asked for before.
  [[nodiscard]] bool is_trailer(Memory bytes) const {
    return is_written(bytes) &&
           std::equal(bytes.begin(), bytes.end(), trailer.begin(), trailer.end());
  }

  [[nodiscard]] std::size_t payload_size() const { return message.size() - room.size(); }

  const AutogradMetadata& metadata;
  Bytes trailer;
  std::span<std::byte> message;
  std::span<std::byte> room;
};

bool writes(const Arena& arena) {
  return gradtail::write_trailer(arena.room, arena.metadata, arena.payload_size()) &&
         arena.is_trailer(arena.room);
}

bool makes(const Arena& arena) {
  const auto made = gradtail::Trailer::make(arena.metadata, arena.payload_size());
  if (!made || !arena.is_trailer(made->bytes())) return false;
  const gradtail::Trailer copy = *made;
  return arena.is_trailer(copy.bytes());
}

bool reads(const Arena& arena) {
  arena.fill();
  bool good = true;
  for (const readers::Reader& reader : readers::all) {
    TrailerScratch scratch;
    const auto view = reader.read(arena.message, scratch, {});
    good = good && view && view->metadata() == arena.metadata && arena.is_trailer(view->trailer());
  }
  return good;
}

bool appends(const Arena& arena) {
  PinnedBytes buffer(arena.message, arena.payload_size());
  return gradtail::append(buffer, arena.metadata) && buffer.size() == arena.message.size() &&
         arena.is_trailer(arena.room);
}

bool refuses(const Arena& arena) {
  AutogradMetadata bad = arena.metadata;
  bad.rref_local_id = -2;
  PinnedBytes buffer(arena.message, arena.payload_size());
  const bool refused = !gradtail::append(buffer, bad);
  arena.fill();
  arena.room.back() = std::byte{0};
  const bool absent = !gradtail::open(arena.message);
  arena.room.back() = std::byte{0xA7};
  arena.room[arena.room.size() - 8] ^= std::byte{1};
  return refused && absent && !gradtail::open(arena.message);
}

/// Append and strip on a real container with room, which grows and shrinks without a touch too.
template <class C>
bool appends_and_strips(const Arena& arena) {
  using Byte = typename C::value_type;
  const Bytes payload = reference::payload_of(arena.payload_size());
  const auto* first = reinterpret_cast<const Byte*>(payload.data());
  C buffer(first, first + payload.size());
  buffer.reserve(payload.size() + gradtail::max_trailer_size);
  const auto bytes = [&] { return std::as_bytes(std::span(buffer)); };
  forbid(bytes());
  TrailerScratch scratch;
  const bool appended = gradtail::append(buffer, arena.metadata).has_value() &&
                        arena.is_trailer(bytes().subspan(payload.size()));
  const auto stripped = gradtail::strip(buffer, scratch);
  allow(bytes());
  return appended && stripped && stripped->metadata() == arena.metadata &&
         std::equal(bytes().begin(), bytes().end(), payload.begin(), payload.end());
}

struct Case {
  const char* name;
  bool (*holds)(const Arena&);
};

constexpr Case cases[] = {{"write_trailer", writes},
                          {"Trailer::make", makes},
                          {"every reader", reads},
                          {"append", appends},
                          {"refusals", refuses},
                          {"std::vector", appends_and_strips<std::vector<std::byte>>},
                          {"std::string", appends_and_strips<std::string>}};

/// Whether the watcher sees what nobody wrote: otherwise the cases could hold for no reason.
bool watches() {
#ifdef HAS_MEMORY_SANITIZER
  forget(memory);
  const bool seen = !is_written(memory);
  allow(memory);
  return seen;
#else
  return true;  // asking valgrind would count as an error
#endif
}

int failures_of(const Arena& arena) {
  int failed = 0;
  for (const auto& [name, holds] : cases) {
    forget(arena.room);
    if (holds(arena)) continue;
    ++failed;
    std::printf("FAILED %s: %s, payload of %zu bytes, trailer at address %% 16 = %zu\n", name,
                to_string(arena.metadata).c_str(), arena.payload_size(),
                static_cast<std::size_t>(reinterpret_cast<std::uintptr_t>(arena.room.data()) % 16));
  }
  return failed;
}

}  // namespace

int main() {
  constexpr std::size_t pair_counts[] = {0, 1, 2, 7, 128};
  const auto map = reference::pairs(gradtail::max_device_pairs);
  std::size_t arenas = 0;
  std::size_t sets = 0;
  int failed = watches() ? 0 : 1;
  for (const auto set : reference::all_sets) {
    for (const std::size_t pairs : pair_counts) {
      const AutogradMetadata metadata = reference::fields_of(set, std::span(map).first(pairs));
      if (metadata.device_map.size() != pairs) continue;  // a set without the map
      // All sizes up to 17 at all alignments, each with a third of the sets.
      for (std::size_t payload_size = sets++ % 3; payload_size <= 17; payload_size += 3) {
        failed += failures_of(Arena(arenas++ % 16, payload_size, metadata));
      }
      failed += failures_of(Arena(arenas++ % 16, 100, metadata));
    }
  }
  std::printf("%zu messages, %zu cases each: %d failed\n", arenas, std::size(cases), failed);
  return failed == 0 ? 0 : 1;
}
