// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the same bytes as one span and in pieces give the same, and so does strip.
#include "gradtail/segments.hpp"

#include <algorithm>
#include <deque>

#include "fuzz.hpp"
#include "gradtail/strip.hpp"

namespace {

using Segments = std::vector<std::span<const std::byte>>;

/// Each piece is a copy of its own, so that nothing can be read across a cut.
std::deque<fuzz::Placed> cut(std::span<const std::byte> message, fuzz::Input cuts) {
  std::deque<fuzz::Placed> pieces;
  while (!message.empty()) {
    const std::size_t size = std::min<std::size_t>(cuts.take<std::uint8_t>() % 96, message.size());
    const std::size_t rest = pieces.size() > 64 ? message.size() : size;
    pieces.emplace_back(message.first(rest), pieces.size() % 16);
    message = message.subspan(rest);
  }
  return pieces;
}

void check_payload(const auto& opened, std::span<const std::byte> expected) {
  fuzz::require(opened.payload_size() == expected.size(), "the payload has one size");
  for (const std::span<const std::byte> piece : opened.payload()) {
    fuzz::require(std::ranges::equal(piece, expected.first(piece.size())), "and the same bytes");
    expected = expected.subspan(piece.size());
  }
  fuzz::require(expected.empty(), "all of them");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const fuzz::Input cuts(data, std::min<std::size_t>(size, 66));
  const fuzz::Bytes message = fuzz::message_of(input);
  const auto whole = gradtail::open(message);
  const std::deque<fuzz::Placed> pieces = cut(message, cuts);
  Segments segments;
  for (const fuzz::Placed& piece : pieces) segments.push_back(piece.bytes());
  gradtail::TrailerScratch scratch;
  const auto opened = gradtail::open(segments, scratch);
  fuzz::Bytes buffer = message;
  gradtail::TrailerScratch stripped_into;
  const auto stripped = gradtail::strip(buffer, stripped_into);
  fuzz::require(opened.has_value() == whole.has_value(), "pieces open as one span does");
  fuzz::require(stripped.has_value() == whole.has_value(), "strip opens as open does");
  if (!whole) {
    fuzz::require(opened.error() == whole.error(), "pieces fail as one span does");
    fuzz::require(stripped.error() == whole.error(), "strip fails as open does");
    fuzz::require(buffer == message, "strip leaves what it refuses");
    return 0;
  }
  fuzz::require(opened->metadata() == whole->metadata(), "the metadata is the same");
  fuzz::require(std::ranges::equal(opened->trailer(), whole->trailer()), "the trailer is the same");
  check_payload(*opened, whole->payload());
  fuzz::require(std::ranges::equal(buffer, whole->payload()), "strip leaves the payload");
  std::ranges::fill(buffer, std::byte{0xEE});
  buffer.resize(message.size());  // and nothing is left of the trailer in it
  fuzz::require(stripped->metadata() == whole->metadata(), "strip keeps the metadata");
  return 0;
}
