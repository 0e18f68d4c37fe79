// SPDX-License-Identifier: Apache-2.0
// The one parser, behind every way to read.
//
// The contract, which SECURITY.md repeats:
// Any bytes, of any length, at any alignment, give a view or an error. Nothing is read outside of
// the message, and nothing of the payload. A number from the message is compared with what is known
// before anything is found with it. Work is bounded by the limit. Once a view is returned, its
// accessors can't fail. The bytes must not change meanwhile.
#include "gradtail/open.hpp"

#include <algorithm>
#include <cstring>

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

/// The fast way for all known layouts; without the instruction for forward messages alone.
[[gnu::noinline]] bool read_other(std::span<const std::byte> bytes, std::size_t message_size,
                                  Limits limits, TrailerView& view) noexcept {
  const Tail tail{bytes, message_size - bytes.size(), limits.trailer_size};
  return has_crc_instruction ? read_known<HardwareCrc>(tail, view)
                             : read_stamped<PortableCrc>(forward_stamp, tail, view);
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

[[gnu::aligned(64)]] bool open_last(std::span<const std::byte> last, std::size_t message_size,
                                    Limits limits, TrailerView& view) noexcept {
  const Tail tail{last, message_size - last.size(), limits.trailer_size};
  if (has_crc_instruction) [[likely]] {
    if (read_stamped<HardwareCrc>(forward_stamp, tail, view)) [[likely]]
      return true;
    if (read_stamped<HardwareCrc>(backward_stamp, tail, view)) return true;
  }
  return read_other(last, message_size, limits, view);
}

Result<TrailerView> read_trailer(std::span<const std::byte> trailer,
                                 std::size_t payload_size) noexcept {
  TrailerView view;
  if (open_last(trailer, payload_size + trailer.size(), Limits{Limits::most}, view)) return view;
  const Result<AutogradMetadata> general = read_general(trailer, payload_size);
  if (!general) return general.error();
  return TrailerView(*general, trailer);
}

Result<TrailerView> open_into(std::span<const std::byte> message, TrailerScratch& scratch,
                              Limits limits) noexcept {
  const std::span<std::byte> memory = scratch.memory();
  limits.trailer_size = std::min(limits.trailer_size, memory.size());
  const Result<MessageView> opened = open_bytes(message, limits);
  if (!opened) return opened.error();
  const std::span<const std::byte> trailer = opened->trailer();
  std::memcpy(memory.data(), trailer.data(), trailer.size());
  AutogradMetadata metadata = opened->metadata();
  if (!metadata.device_map.empty()) {
    const auto at = std::as_bytes(metadata.device_map).data() - trailer.data();
    metadata.device_map = lend_pairs(memory.data() + at, metadata.device_map.size());
  }
  return TrailerView(metadata, memory.first(trailer.size()));
}

/// All but the messages of every pass, forward and backward, and kept out of their way.
[[gnu::noinline]] static Result<MessageView> open_other(std::span<const std::byte> message,
                                                        Limits limits) noexcept {
  Result<MessageView> view(std::in_place, TrailerView(), message.size());
  if (read_other(message, message.size(), limits, *view)) return view;
  const std::span tail = message.last(std::min(message.size(), footer_size));
  const Result<std::size_t> size = locate_trailer(tail, message.size(), limits);
  if (!size) {
    view = size.error();
    return view;
  }
  const std::span trailer = message.last(*size);
  const Result<AutogradMetadata> read = read_general(trailer, message.size() - *size);
  if (read) {
    view.emplace(TrailerView(*read, trailer), message.size());
  } else {
    view = read.error();
  }
  return view;
}

[[gnu::aligned(64)]] Result<MessageView> open_bytes(std::span<const std::byte> message,
                                                    Limits limits) noexcept {
  const Tail tail{message, 0, limits.trailer_size};
  TrailerView found;
  if (has_crc_instruction) [[likely]] {
    if (read_stamped<HardwareCrc>(forward_stamp, tail, found)) [[likely]] {
      return Result<MessageView>(std::in_place, found, message.size());
    }
    if (read_stamped<HardwareCrc>(backward_stamp, tail, found)) {
      return Result<MessageView>(std::in_place, found, message.size());
    }
  }
  return open_other(message, limits);
}

}  // namespace detail
}  // namespace v0
}  // namespace gradtail
