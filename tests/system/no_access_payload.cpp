// SPDX-License-Identifier: Apache-2.0
// Payloads that valgrind forbids to touch, to the byte: for sizes that no page boundary can guard.
//
// Run as `valgrind --error-exitcode=9 --partial-loads-ok=no -q ./no_access_payload`.
#include <valgrind/memcheck.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "gradtail/gradtail.hpp"
#include "guarded_memory.hpp"
#include "reference.hpp"

using gradtail::AutogradMetadata;
using gradtail::TrailerScratch;
using guarded::PinnedBytes;
using reference::Bytes;

namespace {

int passed = 0;
int failed = 0;

/// Whether the bytes may be read and depend on nothing uninitialised.
bool defined(std::span<const std::byte> bytes) {
  return VALGRIND_CHECK_MEM_IS_DEFINED(bytes.data(), bytes.size()) == 0;
}

alignas(16) std::array<std::byte, 1024> memory;

/// One message in the middle of memory that is forbidden: the payload, what is before it and what
/// is behind the trailer.
struct Arena {
  Arena(std::size_t offset, std::size_t payload_size, const AutogradMetadata& fields)
      : metadata(fields),
        trailer(reference::trailer_of(fields, payload_size)),
        message(std::span(memory).subspan(32 + offset, payload_size + trailer.size())),
        room(message.last(trailer.size())) {
    VALGRIND_MAKE_MEM_NOACCESS(memory.data(), memory.size());
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { VALGRIND_MAKE_MEM_DEFINED(memory.data(), memory.size()); }

  /// Puts the trailer there, for what reads.
  void fill() const { std::ranges::copy(trailer, room.begin()); }

  [[nodiscard]] std::size_t payload_size() const { return message.size() - room.size(); }

  const AutogradMetadata& metadata;
  Bytes trailer;
  std::span<std::byte> message;
  std::span<std::byte> room;
};

/// Runs one case; it fails where it says so, and where valgrind found an error in it.
template <class Case>
void run(const char* name, const Arena& arena, Case holds) {
  const auto errors = VALGRIND_COUNT_ERRORS;
  VALGRIND_MAKE_MEM_UNDEFINED(arena.room.data(), arena.room.size());
  const bool held = holds(arena);
  const bool clean = VALGRIND_COUNT_ERRORS == errors;
  if (held && clean) {
    ++passed;
    return;
  }
  ++failed;
  std::printf("%s: %s (payload of %zu bytes, trailer of %zu at address %% 16 = %zu)\n", name,
              clean ? "wrong result" : "valgrind error", arena.payload_size(), arena.room.size(),
              reinterpret_cast<std::uintptr_t>(arena.room.data()) % 16);
}

bool writes(const Arena& arena) {
  return gradtail::write_trailer(arena.room, arena.metadata, arena.payload_size()) &&
         defined(arena.room) && std::ranges::equal(arena.room, arena.trailer);
}

bool makes(const Arena& arena) {
  const auto made = gradtail::Trailer::make(arena.metadata, arena.payload_size());
  if (!made || !defined(made->bytes())) return false;
  const gradtail::Trailer copy = *made;
  return defined(copy.bytes()) && std::ranges::equal(copy.bytes(), arena.trailer);
}

bool opens(const Arena& arena) {
  arena.fill();
  const auto opened = gradtail::open(arena.message);
  return opened && opened->metadata() == arena.metadata && defined(opened->trailer());
}

bool opens_pieces(const Arena& arena) {
  arena.fill();
  bool good = true;
  for (const std::size_t cut : {arena.payload_size() / 2, arena.payload_size(),
                                arena.payload_size() + 3, arena.message.size() - 7}) {
    const std::array pieces = {arena.message.first(cut), arena.message.subspan(cut)};
    TrailerScratch scratch;
    const auto opened = gradtail::open(pieces, scratch);
    good = good && opened && opened->metadata() == arena.metadata && defined(opened->trailer());
  }
  return good;
}

bool strips(const Arena& arena) {
  arena.fill();
  PinnedBytes buffer(arena.message, arena.message.size());
  TrailerScratch scratch;
  const auto stripped = gradtail::strip(buffer, scratch);
  return stripped && stripped->metadata() == arena.metadata &&
         buffer.size() == arena.payload_size() && defined(stripped->trailer());
}

bool appends(const Arena& arena) {
  PinnedBytes buffer(arena.message, arena.payload_size());
  return gradtail::append(buffer, arena.metadata) && buffer.size() == arena.message.size() &&
         defined(arena.room) && std::ranges::equal(arena.room, arena.trailer);
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
  C buffer(arena.payload_size(), typename C::value_type{});
  buffer.reserve(arena.payload_size() + gradtail::max_trailer_size);
  VALGRIND_MAKE_MEM_NOACCESS(buffer.data(), arena.payload_size());
  TrailerScratch scratch;
  const bool appended = gradtail::append(buffer, arena.metadata).has_value();
  const bool whole = defined(std::as_bytes(std::span(buffer)).subspan(arena.payload_size()));
  const auto stripped = gradtail::strip(buffer, scratch);
  VALGRIND_MAKE_MEM_DEFINED(buffer.data(), arena.payload_size());
  return appended && whole && stripped && stripped->metadata() == arena.metadata &&
         buffer.size() == arena.payload_size();
}

void run_all(const Arena& arena) {
  run("write_trailer", arena, writes);
  run("Trailer::make", arena, makes);
  run("open", arena, opens);
  run("open, in pieces", arena, opens_pieces);
  run("strip", arena, strips);
  run("append", arena, appends);
  run("refusals", arena, refuses);
  run("std::vector", arena, appends_and_strips<std::vector<std::byte>>);
  run("std::string", arena, appends_and_strips<std::string>);
}

}  // namespace

int main() {
  if (RUNNING_ON_VALGRIND == 0) {
    std::puts("skipped: runs under valgrind --error-exitcode=9 --partial-loads-ok=no -q");
    return 77;
  }
  const auto map = reference::pairs(128);
  const AutogradMetadata sets[] = {
      {},
      {.context_id = 5},
      {.retain_graph = true},
      reference::forward,
      reference::mapped,
      reference::full,
      reference::fields_of(reference::mapped_set, std::span(map).first(7)),
      reference::fields_of(gradtail::detail::all_fields, map)};
  for (const AutogradMetadata& metadata : sets) {
    for (std::size_t payload_size = 0; payload_size <= 17; ++payload_size) {
      for (std::size_t offset = 0; offset < 16; ++offset) {
        run_all(Arena(offset, payload_size, metadata));
      }
    }
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
