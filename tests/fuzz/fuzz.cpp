// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets share.
#include "fuzz.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <type_traits>

#include "fields.hpp"
#include "gradtail/wire.hpp"
#include "poke.hpp"
#include "reference.hpp"

namespace fuzz {

namespace {

std::uint32_t size_in_footer(const Bytes& message) {
  std::uint32_t size = 0;
  for (std::size_t i = 4; i-- > 0;) {
    size = size << 8 | std::to_integer<std::uint32_t>(message[message.size() - 16 + i]);
  }
  return size;
}

}  // namespace

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

void mend_footer(Bytes& message) {
  if (message.size() < gradtail::footer_size) return;
  const std::size_t footer = message.size() - gradtail::footer_size;
  poke(message, footer + 4, gradtail::format_version, 4);
  poke(message, footer + 12, 0xA74C5447, 4);
}

void mend_checksum(Bytes& message) {
  if (message.size() < gradtail::min_trailer_size) return;
  const std::uint32_t size = size_in_footer(message);
  if (size > message.size() || size < gradtail::min_trailer_size || size % 8 != 0) return;
  reference::mend_checksum(message);
}

Bytes message_of(Input& input) {
  const auto mending = input.take<std::uint8_t>() % 4;
  Bytes message(input.rest().begin(), input.rest().end());
  if (mending >= 1) mend_footer(message);
  if (mending >= 3 && message.size() >= gradtail::min_trailer_size) {
    const std::uint32_t size = size_in_footer(message);
    if (size >= gradtail::min_trailer_size && size <= message.size()) {
      poke(message, message.size() - size + 4, 0x444D4741, 4);
    }
  }
  if (mending >= 2) mend_checksum(message);
  return message;
}

Placed::Placed(std::span<const std::byte> bytes, std::size_t offset)
    : memory_(new std::byte[offset + bytes.size()]) {
  std::ranges::copy(bytes, memory_.get() + offset);
  bytes_ = {memory_.get() + offset, bytes.size()};
}

void walk(const gradtail::AutogradMetadata& m) {
  const auto walk_scalar = [&](const gradtail::detail::ScalarField auto& field) {
    if constexpr (std::is_signed_v<decltype(field.get(m))>) {
      require(field.get(m) >= -1, field.name.data());
    }
  };
  gradtail::detail::for_each_field(
      gradtail::detail::Either{walk_scalar, gradtail::detail::do_nothing});
  require(m.device_map.size() <= gradtail::max_device_pairs, "device_map is not too long");
  for (std::size_t i = m.device_map.size(); i-- > 0;) {
    for (const auto& [type, index] : {m.device_map[i].target, m.device_map[i].source}) {
      require(type >= 0 && type <= 63 && index >= -1, "devices are in range");
    }
    for (std::size_t k = i; k-- > 0;) {
      require(m.device_map[k].target != m.device_map[i].target, "targets differ");
      require(m.device_map[k].source != m.device_map[i].source, "sources differ");
    }
  }
}

}  // namespace fuzz
