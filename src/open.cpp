// SPDX-License-Identifier: Apache-2.0
// The parser, through which every message is read: the functions that open a message, and then the
// nine checks that all of them share.
//
// The contract, which SECURITY.md repeats:
// Any bytes, of any length, at any alignment, give a view or an error. Nothing is read outside of
// the message, and nothing of the payload. A number from the message is loaded once, and checked
// before it decides where to read: if a peer changes the bytes meanwhile, the result is some view
// or some error, but no other access. Work is bounded by the limit, and the stack by a constant.
// Once a view is returned, its accessors can't fail.
#include "gradtail/open.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "fast/fast.hpp"
#include "footer.hpp"
#include "gradtail/segments.hpp"
#include "table.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail {

Result<MessageView> Parser::open(std::span<const std::byte> bytes, Limits limits) noexcept {
  AutogradMetadata m;
  if (const auto size = fast::read_inlined(bytes, 0, limits.trailer_size, m)) {
    return Result<MessageView>(std::in_place, ParserKey(), m, bytes.last(size),
                               bytes.first(bytes.size() - size));
  }
  return open_rest(bytes, limits);
}

/// Opens what fast::read_inlined has declined.
Result<MessageView> Parser::open_rest(std::span<const std::byte> bytes, Limits limits) noexcept {
  TrailerView view;
  if (const auto size = fast::read_rest(bytes, 0, limits.trailer_size, view.metadata_)) {
    view.trailer_ = bytes.last(size);
  } else {
    const Error error = parse({.last = bytes, .size = bytes.size()}, {}, limits, view);
    if (error != no_error) return error;
  }
  const auto payload = bytes.first(bytes.size() - view.trailer_.size());
  return Result<MessageView>(std::in_place, ParserKey(), view.metadata_, view.trailer_, payload);
}

Result<MessageView> Parser::open_copy(std::span<const std::byte> bytes,
                                      std::span<std::byte> scratch, Limits limits) noexcept {
  TrailerView view;
  if (const auto size = fast::read_copy(bytes, scratch, limits.trailer_size, view.metadata_)) {
    view.trailer_ = scratch.first(size);
  } else {
    limits.trailer_size = std::min(limits.trailer_size, scratch.size());
    const Message message{.last = bytes, .size = bytes.size(), .is_shared = true};
    const Error error = parse(message, scratch, limits, view);
    if (error != no_error) return error;
  }
  const auto payload = bytes.first(bytes.size() - view.trailer_.size());
  return Result<MessageView>(std::in_place, ParserKey(), view.metadata_, view.trailer_, payload);
}

Result<TrailerView> Parser::open_into(std::span<const std::byte> bytes,
                                      std::span<std::byte> scratch, Limits limits) noexcept {
  Result<TrailerView> view(std::in_place);
  limits.trailer_size = std::min(limits.trailer_size, scratch.size());
  if (!accept_last(bytes, bytes.size(), limits, *view)) {
    const Error error = open_message({.last = bytes, .size = bytes.size()}, {}, limits, *view);
    if (error != no_error) {
      view = error;
      return view;
    }
  }
  const std::size_t size = view->trailer_.size();
  const std::byte* trailer = bytes.data() + bytes.size() - size;
  std::memcpy(scratch.data(), trailer, size);
  view->trailer_ = scratch.first(size);
  if (auto& map = view->metadata_.device_map; !map.empty()) {
    const auto at = std::as_bytes(map).data() - trailer;
    map = {reinterpret_cast<const DevicePair*>(scratch.data() + at), map.size()};
  }
  return view;
}

Result<TrailerView> Parser::open_trailer(std::span<const std::byte> bytes,
                                         std::uint64_t payload_size, Limits limits) noexcept {
  Result<TrailerView> view(std::in_place);
  const auto size = fast::read_any(bytes, payload_size, limits.trailer_size, view->metadata_);
  if (size != 0 && size == bytes.size()) {
    view->trailer_ = bytes;
    return view;
  }
  const Message message{.last = bytes, .size = bytes.size(), .detached_payload_size = payload_size};
  const Error error = parse(message, {}, limits, *view);
  if (error != no_error) view = error;
  return view;
}

Result<std::size_t> Parser::peek(std::span<const std::byte> tail, std::size_t message_size,
                                 Limits limits) noexcept {
  TrailerView unused;
  std::size_t size = 0;
  const Message message{.last = tail.last(std::min(tail.size(), message_size)),
                        .size = message_size};
  const Error error = parse(message, {}, limits, unused, &size);
  if (error != no_error) return error;
  return size;
}

bool Parser::accept_last(std::span<const std::byte> last, std::size_t message_size, Limits limits,
                         TrailerView& view) noexcept {
  const std::size_t before = message_size - last.size();
  const auto size = fast::read_inlined(last, before, limits.trailer_size, view.metadata_);
  if (size != 0) view.trailer_ = last.last(size);
  return size != 0;
}

Error Parser::open_message(const Message& message, std::span<std::byte> scratch, Limits limits,
                           TrailerView& view) {
  constexpr std::size_t uncountable = std::numeric_limits<std::size_t>::max();
  if (message.size == uncountable) return {Code::too_large, Check::limit, Field::none, 0};
  if (message.is_shared) return parse(message, scratch, limits, view);
  const std::size_t before = message.size - message.last.size();
  const auto size = fast::read_rest(message.last, before, limits.trailer_size, view.metadata_);
  if (size == 0) return parse(message, scratch, limits, view);
  view.trailer_ = message.last.last(size);
  return no_error;
}

/// The nine checks of FORMAT.md, section 6, from top to bottom. The first that fails is reported.
Error Parser::parse(const Message& message, std::span<std::byte> scratch, Limits limits,
                    TrailerView& view, std::size_t* peeked_size) {
  const std::size_t n = message.size;
  const auto fail = [](Code code, Check check, std::size_t at, Field field = Field::none) {
    return Error{code, check, field, at};
  };

  // 1. Magic.
  if (n < footer_size) return fail(Code::absent, Check::magic, 0);
  std::array<std::byte, footer_size> gathered;
  const std::span footer_bytes = message.bytes(n - footer_size, footer_size, gathered);
  if (footer_bytes.size() < footer_size) return fail(Code::absent, Check::magic, n - 4);
  const Footer footer = Footer::load(footer_bytes.data());
  if (footer.magic != Footer::expected_magic) return fail(Code::absent, Check::magic, n - 4);

  // 2. Version.
  if (footer.version != format_version) return fail(Code::unsupported, Check::version, n - 12);

  // 3. Required flags: this version knows none.
  if (footer.required_flags != 0) return fail(Code::unsupported, Check::required_flags, n - 10);

  // 4. Trailer size.
  const std::size_t t = footer.trailer_size;
  const bool is_part = message.detached_payload_size ? t == n : t <= n;
  if (!is_part || t < min_trailer_size || t % 8 != 0) {
    return fail(Code::corrupt, Check::trailer_size, n - 16);
  }

  // 5. Limit.
  if (t > std::min(limits.trailer_size, Limits::most)) {
    return fail(Code::too_large, Check::limit, n - 16);
  }
  if (peeked_size != nullptr) {
    *peeked_size = t;
    return no_error;
  }

  // The other checks need the whole trailer. Segments may have shrunk since they were counted.
  const std::span<const std::byte> trailer = message.bytes(n - t, t, scratch);
  if (trailer.size() != t) return fail(Code::corrupt, Check::trailer_size, n - t);
  if (message.is_shared) {  // start over with a copy, which no peer can write
    std::memmove(scratch.data(), trailer.data(), t);
    return parse({.last = scratch.first(t), .size = n, .is_new = true}, {}, limits, view);
  }
  const bool is_gathered = t > message.last.size();
  if (is_gathered || message.is_new) {  // the fast path hasn't tried it yet
    if (const auto size = fast::read_any(trailer, n - t, t, view.metadata_)) {
      view.trailer_ = trailer.last(size);
      return no_error;
    }
  }

  // 6. Checksum.
  const std::uint64_t payload_size = message.detached_payload_size.value_or(n - t);
  if (footer.checksum != checksum_of(trailer.data(), t, payload_size)) {
    return fail(Code::corrupt, Check::checksum, n - 8);
  }

  // 7. Identifier.
  const std::span<const std::byte> table = trailer.first(t - footer_size);
  if (detail::load<std::uint32_t>(&table[identifier_at]) != identifier) {
    return fail(Code::unsupported, Check::identifier, n - t + identifier_at);
  }

  // 8. Layout.
  const std::optional<Positions> positions = locate_fields(table);
  if (!positions) return fail(Code::invalid, Check::layout, n - t);

  // 9. Values. The fast path may have left some in the view.
  view = TrailerView();
  const BadValue bad = read_fields(table, *positions, view.metadata_);
  if (bad.field != Field::none) {
    return fail(Code::invalid, Check::values, n - t + bad.at, bad.field);
  }
  view.trailer_ = trailer;
  return no_error;
}

std::span<const std::byte> Message::bytes(std::size_t offset, std::size_t count,
                                          std::span<std::byte> memory) const {
  const std::size_t before = size - last.size();
  if (offset >= before) return last.subspan(offset - before, count);
  if (gather == nullptr) return {};  // only `peek` may have no more than the end of a message
  return gather(segments, offset, count, memory);
}

}  // namespace detail

bool TrailerView::has_unknown_fields() const noexcept {
  return trailer_.size() >= min_trailer_size &&
         detail::has_unknown_slots(trailer_.first(trailer_.size() - footer_size));
}

}  // namespace GRADTAIL_ABI
}  // namespace gradtail
