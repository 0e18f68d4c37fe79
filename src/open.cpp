// SPDX-License-Identifier: Apache-2.0
// The one parser, behind every way to read.
//
// The contract: any bytes, of any length, at any alignment, give a view or an error. Nothing is
// read outside of the message, and nothing of the payload. A number from the message is compared by
// subtraction from a known size before it is used, never added to anything. Work is bounded by the
// limit. Once a view is returned, its accessors can't fail. The bytes must not change meanwhile.
#include "gradtail/open.hpp"

#include <algorithm>

#include "crc32c.hpp"
#include "general_layout.hpp"
#include "gradtail/segments.hpp"
#include "gradtail/strip.hpp"
#include "known_layout.hpp"
#include "little_endian.hpp"
#include "stamp.hpp"

namespace gradtail {
inline namespace v0 {
namespace detail {
namespace {

/// Checks 6 to 9: the fast way, and for all that it declines the general way.
template <class Crc>
[[gnu::always_inline]] inline Result<TrailerView> read_with(std::span<const std::byte> trailer,
                                                            std::size_t payload_size) noexcept {
  AutogradMetadata metadata;
  if (read_known<Crc>(trailer, payload_size, metadata)) return TrailerView(metadata, trailer);
  return read_general(trailer, payload_size);
}

}  // namespace

// Checks 1 to 5 of FORMAT.md, section 6, in its order.
Result<std::size_t> locate_trailer(std::span<const std::byte> tail, std::size_t message_size,
                                   Limits limits) noexcept {
  const auto fail = [message_size](Code code, Check check, std::size_t from_end) {
    return Error{code, check, Field::none, message_size - from_end};
  };
  if (tail.size() < footer_size) return fail(Code::absent, Check::magic, message_size);
  const std::byte* footer = tail.data() + tail.size() - footer_size;
  if (load<std::uint32_t>(footer + 12) != magic) return fail(Code::absent, Check::magic, 4);
  if (load<std::uint16_t>(footer + 4) != format_version) {
    return fail(Code::unsupported, Check::version, 12);
  }
  if (load<std::uint16_t>(footer + 6) != 0) {
    return fail(Code::unsupported, Check::required_flags, 10);
  }
  const std::size_t size = load<std::uint32_t>(footer);
  if (size > message_size || size < min_trailer_size || size % 8 != 0) {
    return fail(Code::corrupt, Check::trailer_size, 16);
  }
  if (size > std::min(limits.trailer_size, Limits::most)) {
    return fail(Code::too_large, Check::limit, 16);
  }
  return size;
}

Result<TrailerView> read_trailer(std::span<const std::byte> trailer,
                                 std::size_t payload_size) noexcept {
  return has_crc_instruction() ? read_with<HardwareCrc>(trailer, payload_size)
                               : read_with<PortableCrc>(trailer, payload_size);
}

Result<TrailerView> open_into(std::span<const std::byte> message, TrailerScratch& scratch,
                              Limits limits) noexcept {
  const std::span<std::byte> memory = scratch.memory();
  limits.trailer_size = std::min(limits.trailer_size, memory.size());
  const Result<MessageView> opened = open(message, limits);
  if (!opened) return opened.error();
  const std::span<const std::byte> trailer = opened->trailer();
  std::ranges::copy(trailer, memory.begin());
  AutogradMetadata metadata = opened->metadata();
  if (!metadata.device_map.empty()) {
    const auto at = std::as_bytes(metadata.device_map).data() - trailer.data();
    metadata.device_map = lend_pairs(memory.data() + at, metadata.device_map.size());
  }
  return TrailerView(metadata, memory.first(trailer.size()));
}

}  // namespace detail

Result<MessageView> open(std::span<const std::byte> message, Limits limits) noexcept {
  const std::span tail = message.last(std::min(message.size(), footer_size));
  const Result<std::size_t> size = detail::locate_trailer(tail, message.size(), limits);
  if (!size) return size.error();
  const std::size_t payload_size = message.size() - *size;
  const Result<TrailerView> read = detail::read_trailer(message.last(*size), payload_size);
  if (!read) return read.error();
  return MessageView(*read, message.first(payload_size));
}

}  // namespace v0
}  // namespace gradtail
