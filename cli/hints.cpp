// SPDX-License-Identifier: Apache-2.0
#include "hints.hpp"

#include <algorithm>
#include <array>

#include "gradtail/open.hpp"
#include "layout_reason.hpp"
#include "locate.hpp"

namespace gradtail::cli {
namespace {

constexpr std::array magic{std::byte{0x47}, std::byte{0x54}, std::byte{0x4C}, std::byte{0xA7}};

std::string text(std::uint64_t number) { return std::to_string(number); }

/// A message with other bytes behind it: somebody passed more than was received.
std::vector<std::string> bytes_behind(std::span<const std::byte> bytes, Limits limits) {
  constexpr std::size_t searched = std::size_t{1} << 20;
  const std::size_t least = bytes.size() - std::min(bytes.size(), searched) + magic.size();
  for (std::size_t size = bytes.size(); size >= least; --size) {
    if (!std::ranges::equal(bytes.subspan(size - magic.size(), magic.size()), magic) ||
        !open(bytes.first(size), limits)) {
      continue;
    }
    return {"a complete message ends at byte " + text(size) + ", and " + text(bytes.size() - size) +
            " more bytes follow it: was a whole buffer passed instead of the bytes received?"};
  }
  return {};
}

/// The trailer alone, as the checks see it that need no payload.
std::optional<std::span<const std::byte>> trailer_of(std::span<const std::byte> bytes) {
  if (bytes.size() < min_trailer_size) return {};
  const std::size_t t = footer_of(bytes).trailer_size;
  if (t < min_trailer_size || t > bytes.size() || t > Limits::most || t % 8 != 0) return {};
  return bytes.last(t);
}

/// One changed byte of magic, version and flags, which are looked at before the checksum.
std::vector<std::string> damaged_footer(std::span<const std::byte> trailer,
                                        std::uint64_t payload_size) {
  std::vector<std::byte> repaired(trailer.begin(), trailer.end());
  const auto footer = std::span(repaired).last(footer_size);
  footer[4] = std::byte{1};
  footer[5] = footer[6] = footer[7] = std::byte{0};
  std::ranges::copy(magic, footer.end() - 4);
  if (!open_trailer(repaired, payload_size, {Limits::most})) return {};
  return {
      "with the magic, version and flags of version 1 the message would be accepted: these bytes "
      "were damaged"};
}

/// A trailer that fits a payload of another size.
std::vector<std::string> other_payload(std::span<const std::byte> trailer,
                                       std::uint64_t payload_size) {
  const std::uint64_t most = std::clamp<std::uint64_t>(2 * payload_size, 1 << 12, 1 << 21);
  const std::uint64_t first = payload_size > most / 2 ? payload_size - most / 2 : 0;
  for (std::uint64_t size = first; size <= first + most; ++size) {
    if (!open_trailer(trailer, size, {Limits::most})) continue;
    return {"the trailer is intact but was made for a payload of " + text(size) + " bytes, not " +
            text(payload_size) + ": was the payload cut, padded or changed behind it?"};
  }
  return {};
}

/// A single bit that explains a wrong checksum.
std::vector<std::string> flipped_bit(std::span<const std::byte> trailer, std::size_t trailer_at,
                                     std::uint64_t payload_size) {
  if (trailer.size() > Limits{}.trailer_size) return {};
  std::vector<std::byte> repaired(trailer.begin(), trailer.end());
  for (std::size_t bit = 0; bit < 8 * repaired.size(); ++bit) {
    std::byte& byte = repaired[bit / 8];
    const std::byte before = byte;
    byte ^= std::byte{1} << static_cast<int>(bit % 8);
    if (open_trailer(repaired, payload_size)) {
      return {"bit " + text(bit % 8) + " of byte " + text(trailer_at + bit / 8) +
              " was flipped: without that, the message would be accepted"};
    }
    byte = before;
  }
  return {};
}

std::vector<std::string> wrong_size(std::span<const std::byte> bytes) {
  const std::size_t t = footer_of(bytes).trailer_size;
  if (t < min_trailer_size || t % 8 != 0 || t > Limits{}.trailer_size) return {};
  return {"the trailer says that it has " + text(t) + " bytes, but only " + text(bytes.size()) +
          " are there: was its front cut off?"};
}

}  // namespace

std::vector<std::string> hints_for(const Error& error, std::span<const std::byte> bytes,
                                   std::optional<std::uint64_t> payload_size, Limits limits) {
  const auto trailer = trailer_of(bytes);
  const std::size_t trailer_at = trailer ? bytes.size() - trailer->size() : 0;
  const std::uint64_t counted = payload_size.value_or(trailer_at);
  std::vector<std::string> hints;
  switch (error.check) {
    case Check::magic:
      if (!payload_size) hints = bytes_behind(bytes, limits);
      [[fallthrough]];
    case Check::version:
    case Check::required_flags:
      if (hints.empty() && trailer) hints = damaged_footer(*trailer, counted);
      break;
    case Check::trailer_size:
      if (bytes.size() < footer_of(bytes).trailer_size) hints = wrong_size(bytes);
      break;
    case Check::checksum:
      if (trailer) hints = other_payload(*trailer, counted);
      if (hints.empty() && trailer) hints = flipped_bit(*trailer, trailer_at, counted);
      break;
    case Check::layout:
      hints = {layout_reason(trailer->first(trailer->size() - footer_size), trailer_at)};
      break;
    default:
      break;
  }
  return hints;
}

}  // namespace gradtail::cli
