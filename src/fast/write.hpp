// SPDX-License-Identifier: Apache-2.0
// Writes trailers of the templates' fields. Each word is put together in a register, stored once,
// and added to the checksum from the register: reading it back from memory would take longer than
// that.
#pragma once

#include <cstring>

#include "fast/cpu.hpp"
#include "fast/crc_instruction.hpp"
#include "fast/fast.hpp"
#include "fast/templates.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail::fast {

/// Whether exactly the template's fields are present, and its scalars allowed.
template <const Template& t>
[[nodiscard, gnu::always_inline]] inline bool fits(const AutogradMetadata& m) noexcept {
  if (m.device_map.empty() == t.has_map()) return false;
  // All other scalars must be absent. One comparison checks them all: -1 is left if those with -1
  // for absent are combined by AND, and 0 if those with 0 are combined by OR.
  std::int64_t ones = -1;
  std::uint64_t zeros = 0;
  const auto add_other = [&]<unsigned vt, class T>(const Scalar<vt, T>& f)
      __attribute__((always_inline)) {
    if (t.layout.at[f.slot] != 0) return;  // GCOVR_EXCL_BR_LINE
    if (f.absent == T(-1)) {               // GCOVR_EXCL_BR_LINE
      ones &= static_cast<std::int64_t>(f.get(m));
    } else {
      zeros |= static_cast<std::uint64_t>(f.get(m) ^ f.absent);
    }
  };
  detail::for_each_field(Either{add_other, do_nothing});
  return (static_cast<std::uint64_t>(~ones) | zeros) == 0 && has_scalars<t>(m);
}

/// The template's words with these values.
template <const Template& t>
[[gnu::always_inline]] inline Words words_with(const AutogradMetadata& m,
                                               std::span<const DevicePair> map) noexcept {
  Words words = t.words;
  const auto put = [&](std::size_t at, std::uint64_t value) __attribute__((always_inline)) {
    words[at / 8] |= value << (at % 8 * 8);
  };
  const auto put_scalar = [&](const ScalarField auto& f) __attribute__((always_inline)) {
    if (const std::size_t at = t.layout.at[f.slot]; at != 0) put(at, f.wire(m));
  };
  detail::for_each_field(Either{put_scalar, do_nothing});
  if (t.has_map()) put(t.layout.map, map.size());
  if constexpr (t.has_map() && t.layout.map % 8 == 0) {  // the first pair follows in the same word
    put(t.layout.map + 4, detail::load<std::uint32_t>(std::as_bytes(map).data()));
  }
  return words;
}

/// Writes the template's trailer with these values. `map` must be valid and in wire order; its size
/// is odd if the template's is, and even otherwise.
template <const Template& t, class CrcStep>
[[gnu::always_inline]] inline std::size_t write_as(std::span<std::byte> room,
                                                   const AutogradMetadata& m,
                                                   std::span<const DevicePair> map,
                                                   std::uint64_t payload_size) noexcept {
  const std::size_t size = t.trailer_size(map.size());
  if (room.size() < size) return 0;
  const Words words = words_with<t>(m, map);
  constexpr std::size_t word_count = t.has_map() ? t.layout.map / 8 + 1 : t.layout.size / 8;
  if constexpr (t.has_map() && t.layout.map % 8 == 0) map = map.subspan(1);
  std::byte* to = room.data();
  Crc crc = t.prefix_crc;
  const auto write = [&](std::uint64_t word) __attribute__((always_inline)) {
    crc = CrcStep::add(crc, word);
    detail::store(to, word);
    to += 8;
  };
  std::memcpy(to, prefix<t>.data(), 8 * t.prefix_words);
  to += 8 * t.prefix_words;
  for_each_word([&](auto i) __attribute__((always_inline)) {
    if (i < t.prefix_words || i >= word_count) return;  // GCOVR_EXCL_BR_LINE
    write(words[i]);
  });
  for (; !map.empty(); map = map.subspan(2)) {  // an even number of pairs is left
    write(detail::load<std::uint64_t>(std::as_bytes(map).data()));
  }
  write(Footer{.trailer_size = static_cast<std::uint32_t>(size)}.first_word());
  detail::store(to, last_word_of(CrcStep::add(crc, payload_size)));
  return size;
}

[[gnu::always_inline]] inline std::size_t write_forward(std::span<std::byte> room,
                                                        const AutogradMetadata& m,
                                                        std::uint64_t payload_size) noexcept {
  if (!has_crc_instruction || !fits<forward>(m)) return 0;
  return write_as<forward, InstructionCrc>(room, m, {}, payload_size);
}

[[gnu::always_inline]] inline std::size_t write_backward(std::span<std::byte> room,
                                                         const AutogradMetadata& m,
                                                         std::uint64_t payload_size) noexcept {
  if (!has_crc_instruction || !fits<backward>(m)) return 0;
  return write_as<backward, InstructionCrc>(room, m, {}, payload_size);
}

[[gnu::always_inline]] inline std::size_t template_size(const AutogradMetadata& m) noexcept {
  if (fits<forward>(m)) return forward.least_size();
  if (fits<backward>(m)) return backward.least_size();
  return 0;
}

}  // namespace detail::fast
}  // namespace GRADTAIL_ABI
}  // namespace gradtail
