// SPDX-License-Identifier: Apache-2.0
// Reads tables whose structure is exactly that of a template. Every field is then where the
// template has it, inside and aligned, so that only the checksum and the values remain to be
// checked.
#pragma once

#include <algorithm>
#include <cstring>

#include "fast/cpu.hpp"
#include "fast/crc_instruction.hpp"
#include "fast/device_map.hpp"
#include "fast/fast.hpp"
#include "fast/templates.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail::fast {

/// The end of a message: see fast.hpp.
struct Tail {
  std::span<const std::byte> bytes;  ///< at least a footer
  std::uint64_t before;
  std::size_t limit;
  std::size_t most = std::min(bytes.size(), limit);  ///< bytes that its trailer may have
  /// The footer's first word, read once: a peer may be writing.
  std::uint64_t first_word = load_once<std::uint64_t>(bytes.data() + bytes.size() - footer_size);
};

/// The trailer's size, if a trailer with the template's fields can have this footer; otherwise 0.
template <const Template& t>
[[gnu::always_inline]] inline std::size_t size_in(const Tail& tail) noexcept {
  constexpr std::size_t least = t.least_size();
  const auto size =
      t.has_map() ? static_cast<std::uint32_t>(tail.first_word) : std::uint32_t{least};
  if (tail.first_word != Footer{.trailer_size = size}.first_word()) return 0;
  if (size > tail.most) return 0;
  // Computing a checksum over more than the largest map would be useless.
  const bool fits = size >= least && size % 8 == 0 &&  // GCOVR_EXCL_BR_LINE: only of maps
                    size <= t.trailer_size(max_device_pairs);
  return fits ? size : 0;  // GCOVR_EXCL_BR_LINE: only of maps
}

/// Whether root offset, identifier, vtable and the map's offset and length are the template's.
template <const Template& t>
[[gnu::always_inline]] inline bool has_structure(const std::byte* table,
                                                 std::size_t pair_count) noexcept {
  if (std::memcmp(table, prefix<t>.data(), t.prefix_size) != 0) return false;
  if (!t.has_map()) return true;
  constexpr std::size_t at = t.layout.at[DeviceMap::slot];
  return detail::load<std::uint32_t>(table + at) == t.layout.map - at &&
         detail::load<std::uint32_t>(table + t.layout.map) == pair_count;
}

template <const Template& t, class CrcStep>
[[gnu::always_inline]] inline bool has_checksum(const std::byte* trailer, std::size_t size,
                                                std::uint64_t payload_size) noexcept {
  Crc crc = t.prefix_crc;
  constexpr std::size_t words = t.least_size() / 8 - 1;
  for_each_word([&](auto i) __attribute__((always_inline)) {
    if (i < t.prefix_words || i >= words) return;  // GCOVR_EXCL_BR_LINE
    crc = CrcStep::add(crc, detail::load<std::uint64_t>(trailer + 8 * i));
  });
  for (std::size_t i = std::min(words, most_words); i < size / 8 - 1; ++i) {
    crc = CrcStep::add(crc, detail::load<std::uint64_t>(trailer + 8 * i));
  }
  crc = CrcStep::add(crc, payload_size);
  return detail::load<std::uint64_t>(trailer + size - 8) == last_word_of(crc);
}

template <const Template& t, class CrcStep>
[[gnu::always_inline]] inline std::size_t read_as(const Tail& tail, AutogradMetadata& m) noexcept {
  const std::size_t size = size_in<t>(tail);
  if (size == 0) return 0;
  const std::byte* trailer = tail.bytes.data() + tail.bytes.size() - size;
  const std::size_t pair_count = t.layout.pair_count + (size - t.least_size()) / 4;
  if (!has_structure<t>(trailer, pair_count)) return 0;
  const std::uint64_t payload_size = tail.before + (tail.bytes.size() - size);
  if (!has_checksum<t, CrcStep>(trailer, size, payload_size)) return 0;
  bool bools_allowed = true;  // their bytes: in the metadata, 2 would be true and look like 1
  const auto read_scalar = [&]<unsigned vt, class T>(const Scalar<vt, T>& f)
      __attribute__((always_inline)) {
    if (t.layout.at[f.slot] == 0) return;  // GCOVR_EXCL_BR_LINE
    const bool allowed = f.set(m, f.load(trailer + t.layout.at[f.slot]));
    if (std::is_same_v<T, bool>) bools_allowed &= allowed;  // GCOVR_EXCL_BR_LINE
  };
  detail::for_each_field(Either{read_scalar, do_nothing});
  if (!bools_allowed || !has_scalars<t>(m)) return 0;
  if (!t.has_map()) return size;
  m.device_map = {reinterpret_cast<const DevicePair*>(trailer + t.layout.map + 4), pair_count};
  return is_valid_map(m.device_map) ? size : 0;
}

[[gnu::always_inline]] inline std::size_t read_inlined(std::span<const std::byte> bytes,
                                                       std::uint64_t before, std::size_t limit,
                                                       AutogradMetadata& m) noexcept {
  if (!has_crc_instruction || bytes.size() < footer_size) return 0;
  const Tail tail{bytes, before, limit};
  if (const std::size_t size = read_as<forward, InstructionCrc>(tail, m)) return size;
  return read_as<backward, InstructionCrc>(tail, m);
}

}  // namespace detail::fast
}  // namespace GRADTAIL_ABI
}  // namespace gradtail
