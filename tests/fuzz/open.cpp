// SPDX-License-Identifier: Apache-2.0
// Fuzz target: any bytes, at any alignment, in one span; every accessor walked back to front.
#include "gradtail/open.hpp"

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const auto offset = input.take<std::uint8_t>() % 16U;
  const auto limit = input.take<std::uint8_t>();
  const fuzz::Placed message(fuzz::message_of(input), offset);
  // Mostly the default; else anything up to a little more than what a limit can be raised to.
  const gradtail::Limits limits{.trailer_size = limit < 192 ? 4096U : (limit - 190U) * 1024U};
  const auto opened = gradtail::open(message.bytes(), limits);
  if (!opened) {
    fuzz::require(opened.error().offset <= message.bytes().size(), "the offset is in the message");
    fuzz::require(!to_string(opened.error()).empty(), "an error is a sentence");
    return 0;
  }
  fuzz::walk(opened->metadata());
  fuzz::require(!to_string(opened->metadata()).empty(), "metadata is text");
  const auto trailer = opened->trailer();
  const auto payload = opened->payload();
  fuzz::require(trailer.size() <= limits.trailer_size, "the limit holds");
  fuzz::require(trailer.data() + trailer.size() == message.bytes().data() + message.bytes().size(),
                "the trailer ends the message");
  fuzz::require(payload.data() + payload.size() == trailer.data(), "it follows the payload");
  fuzz::require(payload.data() == message.bytes().data(), "the payload begins the message");
  return 0;
}
