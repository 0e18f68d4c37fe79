// SPDX-License-Identifier: Apache-2.0
// Every trailer_size, every 3-bit flip of a footer, and random messages, held against the oracle: a
// sample of them, or with --no-skip all, which takes a quarter of an hour.
#include <doctest/doctest.h>

#include <random>
#include <sstream>

#include "gradtail/open.hpp"
#include "oracle.hpp"
#include "poke.hpp"

namespace {

using reference::Bytes;

struct Scale {
  std::uint64_t size_step;     ///< distance of the sizes above 8192
  unsigned set_step;           ///< distance of the sets of fields
  std::uint64_t random_count;  ///< messages of each kind
};

const Scale& scale() {
  static constexpr Scale sample{65521, 85, 100'000};
  static constexpr Scale everything{1, 1, 100'000'000};
  return doctest::getContextOptions()->no_skip ? everything : sample;
}

std::string hex(const Bytes& message) {
  std::ostringstream text;
  for (const std::byte byte : message) text << std::hex << std::to_integer<int>(byte) << ' ';
  return text.str();
}

/// A damaged message must be refused, for the oracle's reason.
void check_refused(const Bytes& message) {
  const auto opened = gradtail::open(message);
  if (opened || !oracle::agrees(opened, oracle::open(message), message)) FAIL(hex(message));
}

/// Three bits of the footer, wherever they move the range that is summed.
void flip_three(Bytes message) {
  const std::size_t end = 8 * message.size();
  for (std::size_t a = end - 128; a < end; ++a) {
    flip(message, a);
    for (std::size_t b = a + 1; b < end; ++b) {
      flip(message, b);
      for (std::size_t c = b + 1; c < end; ++c) {
        flip(message, c);
        check_refused(message);
        flip(message, c);
      }
      flip(message, b);
    }
    flip(message, a);
  }
}

/// One bit of the footer and another of the whole trailer.
void flip_pairs(Bytes message, std::size_t payload_size) {
  const std::size_t end = 8 * message.size();
  for (std::size_t a = end - 128; a < end; ++a) {
    flip(message, a);
    for (std::size_t b = 8 * payload_size; b < end; ++b) {
      if (b == a) continue;
      flip(message, b);
      check_refused(message);
      flip(message, b);
    }
    flip(message, a);
  }
}

}  // namespace

// In the footers of two trailers, behind payloads that leave no room for a larger size, and room
// for more than the limit. The oracle is asked where a size leads to a checksum; its answers to all
// others follow from the size.
TEST_CASE("of all trailer_sizes only the right one is accepted") {
  using gradtail::Check;
  for (const auto set : {3U, reference::forward_set}) {
    for (const std::size_t payload_size : {0U, 70000U}) {
      Bytes message = reference::message_of(payload_size, reference::fields_of(set, {}));
      const std::size_t right = message.size() - payload_size;
      CHECK(gradtail::open(message));
      for (std::uint64_t size = 0; size >> 32 == 0; size += size < 8192 ? 1 : scale().size_step) {
        if (size == right) continue;
        poke(message, message.size() - 16, size, 4);
        const bool plausible = size <= message.size() && size >= 32 && size % 8 == 0;
        if (plausible && size <= gradtail::Limits{}.trailer_size) {
          check_refused(message);
          continue;
        }
        const gradtail::Error refused{
            plausible ? gradtail::Code::too_large : gradtail::Code::corrupt,
            plausible ? Check::limit : Check::trailer_size, gradtail::Field::none,
            message.size() - 16};
        const auto opened = gradtail::open(message);
        if (opened || opened.error() != refused) FAIL(hex(message));
      }
    }
  }
}

TEST_CASE("every flip of three bits in the footer, or of one there and one anywhere, is refused") {
  const auto map = reference::pairs(128);
  for (const std::size_t payload_size : {0U, 5U, 4096U}) {
    for (const auto set : reference::all_sets) {
      if (set % scale().set_step != 0) continue;
      const auto two = std::span(map).first(2);
      flip_three(reference::message_of(payload_size, reference::fields_of(set, two)));
    }
    flip_pairs(reference::message_of(payload_size,
                                     reference::fields_of(gradtail::detail::all_fields, map)),
               payload_size);
  }
}

TEST_CASE("random messages that end in the magic are refused, and those with a plausible footer") {
  std::mt19937_64 random(1);
  for (const bool has_footer : {false, true}) {
    for (std::uint64_t i = 0; i < scale().random_count; ++i) {
      Bytes message(32 + random() % (random() % 256 == 0 ? 700 : 96));
      for (std::byte& byte : message) byte = static_cast<std::byte>(random());
      poke(message, message.size() - 4, 0xA74C5447, 4);
      if (has_footer) {
        poke(message, message.size() - 16, 32 + 8 * (random() % ((message.size() - 24) / 8)), 4);
        poke(message, message.size() - 12, 1, 4);
      }
      check_refused(message);
    }
  }
}
