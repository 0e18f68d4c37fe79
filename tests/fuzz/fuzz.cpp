// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets share.
#include "fuzz.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "gradtail/wire.hpp"
#include "poke.hpp"
#include "reference.hpp"

namespace fuzz {

void require(bool promise, const char* text) {
  if (promise) return;
  std::fprintf(stderr, "broken promise: %s\n", text);
  std::abort();
}

std::uint64_t Input::byte() {
  if (rest_.empty()) return 0;
  const auto first = std::to_integer<std::uint64_t>(rest_.front());
  rest_ = rest_.subspan(1);
  return first;
}

Bytes message_of(Input& input) {
  const auto mending = input.take<std::uint8_t>() % 4;
  Bytes message(input.rest().begin(), input.rest().end());
  if (mending == 0 || message.size() < gradtail::footer_size) return message;
  const std::size_t footer = message.size() - gradtail::footer_size;
  poke(message, footer + 4, gradtail::format_version, 4);
  poke(message, footer + 12, 0xA74C5447, 4);
  const auto size = static_cast<std::size_t>(reference::number(message, footer, 4));
  if (mending == 1 || size > message.size() || size < gradtail::min_trailer_size) return message;
  if (mending == 3) poke(message, message.size() - size + 4, 0x444D4741, 4);
  if (size % 8 == 0) reference::mend_checksum(message);
  return message;
}

Placed::Placed(std::span<const std::byte> bytes, std::size_t offset)
    : memory_(new std::byte[offset + bytes.size()]) {
  std::ranges::copy(bytes, memory_.get() + offset);
  bytes_ = {memory_.get() + offset, bytes.size()};
}

}  // namespace fuzz
