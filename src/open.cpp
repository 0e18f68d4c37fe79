// SPDX-License-Identifier: Apache-2.0
// The one parser, behind every way to read.
//
// The contract: any bytes, of any length, at any alignment, give a view or an error. Nothing is
// read outside of the message, and nothing of the payload. A number from the message is compared
// with what is known before anything is found with it. Work is bounded by the limit. Once a view is
// returned, its accessors can't fail. The bytes must not change meanwhile.
#include "gradtail/open.hpp"

#include <algorithm>

#include "crc32c.hpp"
#include "general_layout.hpp"
#include "gradtail/segments.hpp"
#include "gradtail/strip.hpp"
#include "known_layout.hpp"
#include "little_endian.hpp"
#include "reader.hpp"
#include "stamp.hpp"

namespace gradtail {
inline namespace v0 {
namespace detail {
namespace {

/// Checks 6 to 9: the fast way, and for all that it declines the general way.
template <class View>
void read_into(Result<View>& view, std::span<const std::byte> trailer,
               std::size_t payload_size) noexcept {
  AutogradMetadata& metadata = Reader::metadata(*view);
  Reader::set_trailer(*view, trailer);
  const auto known = [&](auto crc) {
    return read_known<decltype(crc)>(trailer, payload_size, metadata);
  };
  if (with_crc(known)) return;
  const Result<AutogradMetadata> general = read_general(trailer, payload_size);
  if (general) {
    metadata = *general;
  } else {
    view = general.error();
  }
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
  Result<TrailerView> view(std::in_place);
  read_into(view, trailer, payload_size);
  return view;
}

Result<TrailerView> open_into(std::span<const std::byte> message, TrailerScratch& scratch,
                              Limits limits) noexcept {
  const std::span<std::byte> memory = scratch.memory();
  limits.trailer_size = std::min(limits.trailer_size, memory.size());
  Result<MessageView> opened = open_bytes(message, limits);
  if (!opened) return opened.error();
  const std::span<const std::byte> trailer = opened->trailer();
  std::ranges::copy(trailer, memory.begin());
  AutogradMetadata& metadata = Reader::metadata(*opened);
  if (!metadata.device_map.empty()) {
    const auto at = std::as_bytes(metadata.device_map).data() - trailer.data();
    metadata.device_map = lend_pairs(memory.data() + at, metadata.device_map.size());
  }
  Reader::set_trailer(*opened, memory.first(trailer.size()));
  return *opened;
}

Result<MessageView> open_bytes(std::span<const std::byte> message, Limits limits) noexcept {
  const std::span tail = message.last(std::min(message.size(), footer_size));
  const Result<std::size_t> size = locate_trailer(tail, message.size(), limits);
  Result<MessageView> view(std::in_place);
  if (size) {
    const std::size_t payload_size = message.size() - *size;
    Reader::set_payload(*view, message.first(payload_size));
    read_into(view, message.last(*size), payload_size);
  } else {
    view = size.error();
  }
  return view;
}

}  // namespace detail
}  // namespace v0
}  // namespace gradtail
