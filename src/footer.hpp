// SPDX-License-Identifier: Apache-2.0
// The footer: the last 16 bytes of a message (FORMAT.md, section 2).
#pragma once

#include <cstddef>
#include <cstdint>

#include "crc32c.hpp"
#include "gradtail/wire.hpp"
#include "little_endian.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail {

/// Members in wire order. On the wire they are two little-endian words: the first is covered by the
/// checksum, the second is the checksum and the magic.
struct Footer {
  static constexpr std::uint32_t expected_magic = 0xA74C5447;  // 47 54 4C A7

  std::uint32_t trailer_size = 0;  ///< bytes from the payload's end to the message's
  std::uint16_t version = format_version;
  std::uint16_t required_flags = 0;
  std::uint32_t checksum = 0;
  std::uint32_t magic = expected_magic;

  /// Whether magic, version and flags are those of a trailer that this library reads.
  [[nodiscard]] constexpr bool is_current() const noexcept {
    return magic == expected_magic && version == format_version && required_flags == 0;
  }

  [[nodiscard]] static Footer load(const std::byte* from) noexcept;
  void store(std::byte* to) const noexcept;

  [[nodiscard]] constexpr std::uint64_t first_word() const noexcept {
    return trailer_size | std::uint64_t{version} << 32 | std::uint64_t{required_flags} << 48;
  }
  [[nodiscard]] constexpr std::uint64_t last_word() const noexcept {
    return checksum | std::uint64_t{magic} << 32;
  }
};

static_assert(sizeof(Footer) == footer_size);
static_assert(offsetof(Footer, trailer_size) == 0 && offsetof(Footer, version) == 4);
static_assert(offsetof(Footer, required_flags) == 6 && offsetof(Footer, checksum) == 8);
static_assert(offsetof(Footer, magic) == 12);

/// Loads each byte once: the parser decides by the result, whatever a peer writes meanwhile.
inline Footer Footer::load(const std::byte* from) noexcept {
  const auto first = detail::load_once<std::uint64_t>(from);
  const auto last = detail::load_once<std::uint64_t>(from + offsetof(Footer, checksum));
  return {.trailer_size = static_cast<std::uint32_t>(first),
          .version = static_cast<std::uint16_t>(first >> 32),
          .required_flags = static_cast<std::uint16_t>(first >> 48),
          .checksum = static_cast<std::uint32_t>(last),
          .magic = static_cast<std::uint32_t>(last >> 32)};
}

inline void Footer::store(std::byte* to) const noexcept {
  detail::store(to, first_word());
  detail::store(to + offsetof(Footer, checksum), last_word());
}

/// The checksum of a trailer: over all bytes before the checksum, then the payload's size. The
/// trailer's size must be a multiple of 8, and the first word of its footer must have been stored.
[[nodiscard]] inline std::uint32_t checksum_of(const std::byte* trailer, std::size_t trailer_size,
                                               std::uint64_t payload_size) noexcept {
  const std::size_t covered = trailer_size - footer_size + offsetof(Footer, checksum);
  return detail::crc32c(trailer, covered, payload_size);
}

}  // namespace detail
}  // namespace GRADTAIL_ABI
}  // namespace gradtail
