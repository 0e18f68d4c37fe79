// SPDX-License-Identifier: Apache-2.0
// Random messages, with more and more of the footer put right.
#include <algorithm>
#include <array>

#include "judge.hpp"
#include "parts.hpp"
#include "tables.hpp"
#include "woven.hpp"

namespace random_tails {
namespace {

constexpr std::uint64_t messages_a_chunk = std::uint64_t{1} << 20;
constexpr std::size_t footer_size = 16;

/// Where messages are made: they begin anywhere in the first 16 bytes.
struct Room {
  alignas(8) std::array<std::byte, 16 + 16 + Tables::max_size + footer_size + 8> bytes;  // NOLINT
};

/// Calls `once` for each message of the chunk. Chunks of one seed are the same for any --jobs.
template <class Once>
void repeat(const Options& options, std::uint64_t chunk, std::uint64_t part, Once once) {
  Random random(options.seed, 4 * chunk + part);
  const std::uint64_t done = chunk * messages_a_chunk;
  Room room;  // NOLINT: filled for each message
  for (std::uint64_t i = std::min(messages_a_chunk, options.count - done); i > 0; --i) {
    once(random, room);
  }
}

/// A random message of `least` bytes or somewhat more that ends in the magic.
std::span<std::byte> draw_tail(Random& random, Room& room, std::size_t least) {
  const std::size_t extra = random.once_in(256) ? random.below(700) : random.below(96);
  std::byte* begin = room.bytes.data() + random.below(16);
  for (std::size_t at = 0; at < least + extra; at += 8) put(begin, at, random.next(), 8);
  put(begin, least + extra - 4, 0xA74C5447, 4);
  return {begin, least + extra};
}

/// Size, version and flags of a footer that is located; checksum and magic follow.
void put_footer(std::byte* footer, std::size_t trailer_size) {
  put(footer, 0, trailer_size, 4);
  put(footer, 4, 1, 2);
  put(footer, 6, 0, 2);
}

}  // namespace

std::uint64_t chunks(const Options& options) {
  return (options.count + messages_a_chunk - 1) / messages_a_chunk;
}

void run_magic(const Options& options, std::uint64_t chunk, Tally& tally) {
  repeat(options, chunk, 0, [&](Random& random, Room& room) {
    judge::refuses(draw_tail(random, room, footer_size), tally);
  });
}

void run_checksum(const Options& options, std::uint64_t chunk, Tally& tally) {
  repeat(options, chunk, 1, [&](Random& random, Room& room) {
    const std::span<std::byte> message = draw_tail(random, room, 32);
    const std::size_t trailer_size = 32 + 8 * random.below((message.size() - 32) / 8 + 1);
    put_footer(message.last(footer_size).data(), trailer_size);
    judge::refuses(message, tally);
  });
}

void run_table(const Options& options, std::uint64_t chunk, Tally& tally) {
  static const Tables tables;
  repeat(options, chunk, 2, [&](Random& random, Room& room) {
    std::byte* message = room.bytes.data() + random.below(16);
    const std::size_t payload_size = random.below(16);
    std::byte* table = message + payload_size;
    const std::size_t table_size = tables.draw(random, table);
    put_footer(table + table_size, table_size + footer_size);
    const plain::Bytes summed(table, table_size + 8);
    put(table, table_size + 8, plain::checksum(summed, payload_size), 4);
    put(table, table_size + 12, 0xA74C5447, 4);
    judge::table({message, payload_size + table_size + footer_size}, payload_size, tally);
  });
}

}  // namespace random_tails
