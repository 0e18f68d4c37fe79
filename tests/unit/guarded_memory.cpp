// SPDX-License-Identifier: Apache-2.0
// The payload is never touched and nothing outside of a message is read: either would be a fault.
#include "guarded_memory.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <random>
#include <vector>

#include "gradtail/gradtail.hpp"
#include "messages.hpp"
#include "poke.hpp"
#include "printing.hpp"
#include "readers.hpp"

using gradtail::AutogradMetadata;
using gradtail::Check;
using gradtail::Limits;
using gradtail::Result;
using gradtail::TrailerScratch;
using guarded::Fenced;
using guarded::page_size;
using guarded::Pages;
using guarded::PinnedBytes;
using reference::Bytes;

namespace {

std::vector<AutogradMetadata> metadata_sets() {
  static const auto map = reference::pairs(128);
  std::vector<AutogradMetadata> sets = {
      reference::fields_of(reference::mapped_set, std::span(map).first(7)),
      reference::fields_of(gradtail::detail::all_fields, map)};
  sets.reserve(sets.size() + reference::all_sets.size());
  for (const auto set : reference::all_sets) {
    sets.push_back(reference::fields_of(set, reference::two_pairs));
  }
  return sets;
}

/// Two forbidden pages of payload, and the page behind them.
struct ForbiddenPayload {
  ForbiddenPayload() { pages.forbid(0, 2); }
  /// Payload and trailer.
  [[nodiscard]] std::span<std::byte> message(const AutogradMetadata& metadata) const {
    const Bytes trailer = reference::trailer_of(metadata, size);
    std::ranges::copy(trailer, room.begin());
    return pages.bytes().first(size + trailer.size());
  }

  Pages pages{3};
  std::size_t size = 2 * page_size;
  std::span<std::byte> room = pages.bytes().subspan(size);
};

}  // namespace

TEST_CASE("a trailer is written behind a payload that can't be touched") {
  const ForbiddenPayload payload;
  for (const AutogradMetadata& metadata : metadata_sets()) {
    const Bytes expected = reference::trailer_of(metadata, payload.size);
    const auto size = gradtail::write_trailer(payload.room, metadata, payload.size);
    REQUIRE(size);
    CHECK(std::ranges::equal(payload.room.first(*size), expected));
    PinnedBytes buffer(payload.pages.bytes(), payload.size);
    std::ranges::fill(payload.room, std::byte{0xEE});
    CHECK(gradtail::append(buffer, metadata).value() == expected.size());
    CHECK(buffer.size() == payload.size + expected.size());
    CHECK(std::ranges::equal(payload.room.first(expected.size()), expected));
  }
}

TEST_CASE("a message is read in every way without a touch of its payload") {
  const ForbiddenPayload payload;
  for (const AutogradMetadata& metadata : metadata_sets()) {
    const std::span message = payload.message(metadata);
    for (const readers::Reader& reader : readers::all) {
      TrailerScratch scratch;
      const auto view = reader.read(message, scratch, {});
      REQUIRE(view);
      CHECK(view->metadata() == metadata);
      CHECK(std::ranges::equal(view->trailer(), reference::trailer_of(metadata, payload.size)));
    }
  }
}

TEST_CASE("what the footer refuses is refused without a touch of anything before the footer") {
  const ForbiddenPayload payload;
  const std::span footer = payload.room.first(16);
  const std::span message = payload.pages.bytes().first(payload.size + 16);
  const Bytes good = reference::trailer_of({}, payload.size);
  struct Row {
    Check check;
    std::size_t at;
    std::uint64_t value;
    std::size_t size;
  };
  for (const auto& [check, at, value, size] :
       {Row{Check::magic, 15, 0, 1}, Row{Check::version, 4, 2, 2},
        Row{Check::required_flags, 6, 1, 2}, Row{Check::trailer_size, 0, 0xFFFFFFF8, 4},
        Row{Check::trailer_size, 0, 16, 4}, Row{Check::limit, 0, 4104, 4},
        Row{Check::limit, 0, message.size() / 8 * 8, 4}}) {
    Bytes changed(good.end() - 16, good.end());
    poke(changed, at, value, size);
    std::ranges::copy(changed, footer.begin());
    for (const readers::Reader& reader : readers::all) {
      TrailerScratch scratch;
      CHECK(reader.read(message, scratch, {}).error().check == check);
    }
  }
}

namespace {

/// Reads a message in every way, with its ends and those of the scratch at forbidden memory.
class FencedReader {
 public:
  void read(std::span<const std::byte> message, Limits limits = {}) {
    const auto expected = gradtail::open(message, limits);
    CHECK(same(gradtail::open(copy(message, whole_, true), limits), expected));
    CHECK(same(gradtail::open(copy(message, whole_, false), limits), expected));
    read_with(scratch_.back(2 * page_size), message, limits, expected);
    const Limits small{std::min<std::size_t>(limits.trailer_size, 64)};
    read_with(scratch_.back(64), message, limits, gradtail::open(message, small));
  }

 private:
  void read_with(std::span<std::byte> memory, std::span<const std::byte> message, Limits limits,
                 const Result<gradtail::MessageView>& expected) {
    TrailerScratch scratch(memory);
    for (const std::size_t tail : std::array<std::size_t, 6>{0, 1, 15, 16, 37, message.size()}) {
      const std::size_t cut = message.size() - std::min(tail, message.size());
      for (const bool front : {true, false}) {
        const std::array pieces = {copy(message.first(cut), left_, !front),
                                   copy(message.subspan(cut), right_, front)};
        CHECK(same(gradtail::open(pieces, scratch, limits), expected));
      }
    }
    for (const bool front : {true, false}) {
      const Limits room{std::min(limits.trailer_size, memory.size())};
      CHECK(same(gradtail::open_copy(copy(message, whole_, front), scratch, limits),
                 gradtail::open(message, room)));
      PinnedBytes buffer(copy(message, whole_, front), message.size());
      CHECK(same(gradtail::strip(buffer, scratch, limits), expected));
    }
  }

  static std::span<std::byte> copy(std::span<const std::byte> bytes, const Fenced& fenced,
                                   bool front) {
    const std::span to = front ? fenced.front(bytes.size()) : fenced.back(bytes.size());
    std::ranges::copy(bytes, to.begin());
    return to;
  }

  Fenced whole_, left_, right_, scratch_;
};

/// Makes the checksum hold, where trailer_size lets it be found.
void mend(Bytes& message) {
  const auto size = reference::number(message, message.size() - 16, 4);
  if (size >= 16 && size <= message.size()) reference::mend_checksum(message);
}

}  // namespace

TEST_CASE("nothing outside of a whole or truncated message is read, at any alignment") {
  FencedReader reader;
  for (const AutogradMetadata& metadata : metadata_sets()) {
    for (std::size_t payload_size = 0; payload_size < 16; ++payload_size) {
      const Bytes message = reference::message_of(payload_size, metadata);
      REQUIRE(gradtail::open(message).value().metadata() == metadata);
      const std::size_t step = message.size() < 200 ? 1 : 7;
      for (std::size_t size = 0; size <= message.size(); size += step) {
        reader.read(std::span(message).first(size));
        reader.read(std::span(message).last(size));
      }
      reader.read(message);
    }
  }
}

TEST_CASE("nothing outside of a message with a hostile trailer_size is read") {
  FencedReader reader;
  for (const AutogradMetadata& metadata : metadata_sets()) {
    for (const std::size_t payload_size : std::array<std::size_t, 6>{0, 1, 8, 15, 64, 5000}) {
      const Bytes message = reference::message_of(payload_size, metadata);
      const std::uint64_t n = message.size();
      std::vector<std::uint64_t> sizes = {0,          8,          16,         24,        32,
                                          40,         4096,       4104,       65536,     0x7FFFFFF8,
                                          0x80000000, 0xFFFFFFF0, 0xFFFFFFF8, 0xFFFFFFFF};
      for (const std::uint64_t near : {n, n / 8 * 8, n - payload_size}) {
        for (const std::uint64_t off : {0U, 1U, 8U})
          sizes.insert(sizes.end(), {near - off, near + off});
      }
      for (const std::uint64_t size : sizes) {
        Bytes changed = message;
        poke(changed, message.size() - 16, size, 4);
        mend(changed);
        reader.read(changed);
        reader.read(changed, {.trailer_size = Limits::most});
      }
    }
  }
}

TEST_CASE("nothing outside of a message with a hostile table is read") {
  const std::uint64_t hostile[] = {
      0,      1,      2,      3,      4,          5,          6,          7,         8,    12,
      16,     20,     24,     32,     64,         0x7F,       0x80,       0xFE,      0xFF, 0x7FFE,
      0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF8, 0xFFFFFFFF};
  std::mt19937 random(20);
  const auto below = [&random](std::size_t n) { return static_cast<std::size_t>(random()) % n; };
  FencedReader reader;
  const std::vector<AutogradMetadata> sets = metadata_sets();
  for (int round = 0; round < 20000; ++round) {
    const std::size_t payload_size = below(16);
    Bytes message = reference::message_of(payload_size, sets[below(sets.size())]);
    for (std::size_t changes = 1 + below(3); changes > 0; --changes) {
      const std::size_t size = std::size_t{1} << below(3);
      const std::size_t head = std::min<std::size_t>(message.size() - payload_size - 16, 80);
      const std::size_t at = payload_size + below(head / size) * size;
      poke(message, at, below(4) == 0 ? random() : hostile[below(std::size(hostile))], size);
    }
    if (below(8) == 0) poke(message, message.size() - 16, 8 * below(message.size() / 8 + 2), 4);
    mend(message);
    reader.read(message);
  }
}
