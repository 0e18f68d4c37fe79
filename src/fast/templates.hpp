// SPDX-License-Identifier: Apache-2.0
// Canonical tables for common sets of fields, made at compile time by the same code that the full
// writer uses.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

#include "crc32c.hpp"
#include "footer.hpp"
#include "layout.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail::fast {

/// The most words that a template needs: all fields, up to the map's first pair.
inline constexpr std::size_t most_words = layout_of(all_fields, 2).map / 8 + 1;
using Words = std::array<std::uint64_t, most_words>;

/// Calls `use` with each index of Words as a constant, so that no loop and no array is left.
template <class Use>
[[gnu::always_inline]] inline void for_each_word(Use use) noexcept {
  [&]<std::size_t... i>(std::index_sequence<i...>) __attribute__((always_inline)) {
    (use(std::integral_constant<std::size_t, i>{}), ...);
  }
  (std::make_index_sequence<most_words>{});
}

/// A table with zeros for values. A template with a map has one pair, for all odd counts, or two,
/// for all even ones: every two more pairs add 8 bytes at the end and change nothing before them.
struct Template {
  Layout layout;
  Words words{};                            ///< the first words of the table
  std::size_t prefix_size = 0;              ///< bytes before the first value
  std::size_t prefix_words = 0;             ///< whole words in the prefix
  std::uint32_t prefix_crc = crc32c_start;  ///< the CRC after these words

  /// Bytes of the trailer with this many pairs: 0 for a template without a map.
  [[nodiscard]] constexpr std::size_t trailer_size(std::size_t pair_count) const noexcept {
    return layout.size + 4 * (pair_count - layout.pair_count) + footer_size;
  }
  [[nodiscard]] constexpr std::size_t least_size() const noexcept {
    return trailer_size(layout.pair_count);
  }
  [[nodiscard]] constexpr bool has_map() const noexcept { return layout.map != 0; }
};

[[nodiscard]] consteval Template make_template(FieldSet set, std::size_t pair_count) {
  Template made;
  made.layout = layout_of(set, pair_count);
  std::array<std::byte, sizeof made.words> bytes{};
  detail::store_structure(bytes.data(), made.layout);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    made.words[i / 8] |= std::to_integer<std::uint64_t>(bytes[i]) << (i % 8 * 8);
  }
  made.prefix_size = made.layout.root + 4;
  made.prefix_words = made.prefix_size / 8;
  for (std::size_t i = 0; i < made.prefix_words; ++i) {
    made.prefix_crc = crc32c_step(made.prefix_crc, made.words[i]);
  }
  return made;
}

inline constexpr FieldSet backward_fields = set_of(&M::context_id) | set_of(&M::message_id);
inline constexpr FieldSet forward_fields =
    backward_fields | set_of(&M::from_worker_id) | set_of(&M::wrapped_message_type);
inline constexpr FieldSet mapped_fields = forward_fields | set_of(&M::device_map);
inline constexpr FieldSet retained_fields = backward_fields | set_of(&M::retain_graph);
inline constexpr FieldSet cleanup_fields = set_of(&M::context_id);
inline constexpr FieldSet rref_fields =
    cleanup_fields | set_of(&M::rref_created_on) | set_of(&M::rref_local_id);

/// Calls and their returns, without and with a device map.
inline constexpr Template forward = make_template(forward_fields, 0);
inline constexpr Template odd_map = make_template(mapped_fields, 1);
inline constexpr Template even_map = make_template(mapped_fields, 2);
/// Gradients, to be followed by another pass or not.
inline constexpr Template backward = make_template(backward_fields, 0);
inline constexpr Template retained = make_template(retained_fields, 0);
/// RRef backward messages and cleanup requests.
inline constexpr Template rref = make_template(rref_fields, 0);
inline constexpr Template cleanup = make_template(cleanup_fields, 0);

// Below, decisions that depend only on the template are made at compile time, once for each
// template: GCOVR_EXCL_BR_LINE.

/// Whether the template's scalars are all present and their values allowed. The common kind of
/// field, -1 if absent and otherwise any number that isn't negative, takes one instruction.
template <const Template& t>
[[nodiscard, gnu::always_inline]] inline bool has_scalars(const AutogradMetadata& m) noexcept {
  std::int64_t signs = 0;
  bool allowed = true;
  const auto check = [&]<unsigned vt, class T>(const Scalar<vt, T>& f)
      __attribute__((always_inline)) {
    const bool is_nonnegative =
        f.lowest == T{0} && f.highest == std::numeric_limits<T>::max();  // GCOVR_EXCL_BR_LINE
    const bool is_by_sign =
        std::is_signed_v<T> && f.absent == T(-1) && is_nonnegative;  // GCOVR_EXCL_BR_LINE
    if (t.layout.at[f.slot] == 0) return;                            // GCOVR_EXCL_BR_LINE
    if (is_by_sign) {                                                // GCOVR_EXCL_BR_LINE
      signs |= static_cast<std::int64_t>(f.get(m));
    } else {
      allowed &= f.is_present(m) && f.allows(f.get(m));  // GCOVR_EXCL_BR_LINE
    }
  };
  detail::for_each_field(Either{check, do_nothing});
  return signs >= 0 && allowed;
}

/// The bytes before the first value, for comparisons. Not a member of Template, so that only these
/// bytes end up in the library.
template <const Template& t>
inline constexpr auto prefix = [] {
  std::array<std::byte, t.prefix_size> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::byte>(t.words[i / 8] >> (i % 8 * 8) & 0xFF);
  }
  return bytes;
}();

}  // namespace detail::fast
}  // namespace GRADTAIL_ABI
}  // namespace gradtail
