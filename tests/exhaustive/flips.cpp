// SPDX-License-Identifier: Apache-2.0
// Footers with three flipped bits, and the largest trailer with two: none may be accepted, wherever
// the flips move the range that is summed.
#include <iterator>

#include "judge.hpp"
#include "parts.hpp"
#include "reference.hpp"

namespace flips {
namespace {

using reference::Bytes;

constexpr unsigned field_sets = 256;
/// Payloads that leave no room for a larger trailer_size, some, and a page.
constexpr std::size_t payload_sizes[] = {0, 5, 4096};
constexpr std::size_t footer_bits = 128;

void flip(Bytes& bytes, std::size_t bit) {
  bytes[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
}

void flip_three(Bytes message, Tally& tally) {
  const std::size_t end = 8 * message.size();
  for (std::size_t a = end - footer_bits; a < end; ++a) {
    flip(message, a);
    for (std::size_t b = a + 1; b < end; ++b) {
      flip(message, b);
      for (std::size_t c = b + 1; c < end; ++c) {
        flip(message, c);
        judge::refuses(message, tally);
        flip(message, c);
      }
      flip(message, b);
    }
    flip(message, a);
  }
}

/// One bit of the footer and one of the whole trailer; the same bit is one flip.
void flip_pairs(Bytes message, std::size_t payload_size, Tally& tally) {
  const std::size_t end = 8 * message.size();
  for (std::size_t a = end - footer_bits; a < end; ++a) {
    flip(message, a);
    for (std::size_t b = 8 * payload_size; b < end; ++b) {
      if (b != a) flip(message, b);
      judge::refuses(message, tally);
      if (b != a) flip(message, b);
    }
    flip(message, a);
  }
}

}  // namespace

/// One for each set of fields, one for the largest trailer, behind each payload.
std::uint64_t chunks(const Options& /*unused*/) {
  return (field_sets + 1) * std::size(payload_sizes);
}

void run(const Options& /*unused*/, std::uint64_t chunk, Tally& tally) {
  const std::size_t payload_size = payload_sizes[chunk % std::size(payload_sizes)];
  const auto set = static_cast<unsigned>(chunk / std::size(payload_sizes));
  const std::vector<gradtail::DevicePair> map = reference::pairs(set < field_sets ? 2 : 128);
  const auto metadata = reference::fields_of(set < field_sets ? set : 0xFF, map);
  const Bytes message = reference::message_of(payload_size, metadata);
  flip_three(message, tally);
  if (set == field_sets) flip_pairs(message, payload_size, tally);
}

}  // namespace flips
