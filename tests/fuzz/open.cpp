// SPDX-License-Identifier: Apache-2.0
// Fuzz target: any bytes, at any alignment, in one span, held against FlatBuffers' answer.
#include "gradtail/open.hpp"

#include <algorithm>

#include "fuzz.hpp"
#include "gradtail/scratch.hpp"
#include "oracle.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const auto offset = input.take<std::uint8_t>() % 16U;
  const auto limit = input.take<std::uint8_t>();
  const fuzz::Placed message(fuzz::message_of(input), offset);
  // Mostly the default; else anything up to a little more than what a limit can be raised to.
  const gradtail::Limits limits{.trailer_size = limit < 192 ? 4096U : (limit - 190U) * 1024U};
  const auto opened = gradtail::open(message.bytes(), limits);
  const oracle::Answer answer = oracle::open(message.bytes(), limits.trailer_size);
  fuzz::require(oracle::agrees(opened, answer, message.bytes()),
                "open answers as FlatBuffers does");
  gradtail::TrailerScratch scratch;
  const auto copied = gradtail::open_copy(message.bytes(), scratch, limits);
  const std::size_t room = std::min(limits.trailer_size, scratch.memory().size());
  const oracle::Answer small = oracle::open(message.bytes(), room);
  fuzz::require(copied.has_value() == !small.error, "a copy opens as the message does");
  fuzz::require(copied ? copied->metadata() == small.metadata : copied.error() == *small.error,
                "with the same values, or the same error");
  if (!opened) {
    fuzz::require(!to_string(opened.error()).empty(), "an error is a sentence");
    return 0;
  }
  const auto detached = gradtail::open_trailer(opened->trailer(), opened->payload().size(), limits);
  fuzz::require(detached && detached->metadata() == opened->metadata(),
                "the trailer opens by itself");
  fuzz::require(!to_string(opened->metadata()).empty(), "metadata is text");
  return 0;
}
