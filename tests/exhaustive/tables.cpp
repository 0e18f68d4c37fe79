// SPDX-License-Identifier: Apache-2.0
// Draws tables: canonical ones with changes, woven ones of any layout, and noise.
#include "tables.hpp"

#include <algorithm>
#include <iterator>

#include "woven.hpp"

namespace {

/// A change of one byte: most keep alignment or stay small, as offsets and slots do.
std::byte changed(Random& random, std::byte byte) {
  const auto value = std::to_integer<unsigned>(byte);
  switch (random.below(6)) {
    case 0:
      return static_cast<std::byte>(random.next());
    case 1:
      return static_cast<std::byte>(random.below(64));
    case 2:
      return static_cast<std::byte>(value ^ 1U << random.below(8));
    case 3:
      return static_cast<std::byte>(value + 4 * random.below(5) - 8);
    case 4:
      return static_cast<std::byte>(value + 8 * random.below(5) - 16);
    default:
      return static_cast<std::byte>(value + random.below(5) - 2);
  }
}

/// Small numbers everywhere, or zeros and small numbers.
std::size_t draw_noise(Random& random, std::byte* to) {
  constexpr std::uint64_t masks[] = {0x3F3F3F3F3F3F3F3F, 0x1C1C1C1C1C1C1C1C, 0x001C001C001C001C,
                                     0x0000001C0000001C};
  const std::uint64_t mask = masks[random.below(std::size(masks))];
  const std::size_t size = 16 + 8 * random.below(7);
  for (std::size_t at = 0; at < size; at += 8) put(to, at, random.next() & mask, 8);
  if (!random.once_in(4)) put(to, 0, 8 + 4 * random.below((size - 8) / 4), 4);
  return size;
}

}  // namespace

Tables::Tables() {
  for (unsigned set = 0; set < 256; ++set) {
    for (const std::size_t count : {1U, 2U, 3U, 6U}) {
      usual_.push_back(reference::table_of(reference::fields_of(set, reference::pairs(count))));
      if ((set & 16) == 0) break;
    }
  }
  for (const unsigned set : {0x10U, 0x1FU, 0xFFU}) {
    for (const std::size_t count : {40U, 127U, 128U, 129U, 140U}) {
      large_.push_back(reference::table_of(reference::fields_of(set, reference::pairs(count))));
    }
  }
}

std::size_t Tables::draw_canonical(Random& random, std::byte* to) const {
  const auto& tables = random.once_in(64) ? large_ : usual_;
  const reference::Bytes& table = tables[random.below(tables.size())];
  const std::size_t size = (table.size() + 7) / 8 * 8;
  std::fill(std::ranges::copy(table, to).out, to + size, std::byte{0});
  for (std::size_t changes = random.below(4); changes > 0; --changes) {
    const std::size_t at = random.below(random.once_in(2) ? size : std::min<std::size_t>(size, 96));
    to[at] = changed(random, to[at]);
  }
  return size;
}

std::size_t Tables::draw(Random& random, std::byte* to) const {
  const std::size_t kind = random.below(16);
  const std::size_t size = kind < 7    ? draw_canonical(random, to)
                           : kind < 14 ? draw_woven(random, to)
                                       : draw_noise(random, to);
  put(to, 4, 'A' | 'G' << 8 | 'M' << 16 | 'D' << 24, 4);
  return size;
}
