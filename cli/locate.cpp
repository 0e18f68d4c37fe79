// SPDX-License-Identifier: Apache-2.0
#include "locate.hpp"

#include "fields.hpp"
#include "gradtail/id.hpp"
#include "table.hpp"

namespace gradtail::cli {
namespace {

/// What a stored number means, also if it isn't allowed.
template <detail::ScalarField F>
std::string meaning_of(const F& field, std::span<const std::byte> table, std::size_t at) {
  const auto value = static_cast<typename F::Value>(F::load(&table[at]));
  std::string text = std::to_string(value);
  if (value == static_cast<typename F::Value>(field.absent)) return text + ": absent";
  if (!field.allows(value)) return text + ": not allowed";
  if (field.is_id) {
    const auto id = static_cast<std::int64_t>(value);
    text += " (worker " + std::to_string(id_worker(id)) + ", counter " +
            std::to_string(id_counter(id)) + ")";
  }
  return text;
}

}  // namespace

std::optional<KnownField> field_in(std::size_t slot) {
  std::optional<KnownField> found;
  detail::for_each_field([&](const auto& field) {
    if (field.slot == slot) found = {std::string(field.name), field.size};
  });
  return found;
}

std::optional<LocatedTable> locate(std::span<const std::byte> table) {
  if (table.size() < min_trailer_size - footer_size || table.size() > Limits::most ||
      number_at(table, detail::identifier_at, 4) != detail::identifier) {
    return {};
  }
  const auto positions = detail::locate_fields(table);
  if (!positions) return {};
  LocatedTable located{};
  located.root = number_at(table, 0, 4);
  const auto distance = static_cast<std::int32_t>(number_at(table, located.root, 4));
  located.vtable = located.root - static_cast<std::size_t>(std::ptrdiff_t{distance});
  located.vtable_size = number_at(table, located.vtable, 2);
  located.map = positions->map;
  located.pair_count = positions->pair_count;
  detail::for_each_field([&]<class F>(const F& field) {
    const std::size_t at = positions->at[field.slot];
    if (at == 0) return;
    LocatedField& added =
        located.fields.emplace_back(LocatedField{std::string(field.name), at, field.size, {}});
    if constexpr (detail::ScalarField<F>) {
      added.meaning = meaning_of(field, table, at);
    } else {
      added.meaning = std::to_string(located.pair_count) + " pairs";
    }
  });
  return located;
}

std::uint64_t number_at(std::span<const std::byte> bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;)
    value = value << 8 | std::to_integer<std::uint64_t>(bytes[at + i]);
  return value;
}

}  // namespace gradtail::cli
