// SPDX-License-Identifier: Apache-2.0
// Draws each offset in range and aligned, but for one in some dozens.
#include "woven.hpp"

#include <algorithm>
#include <iterator>

namespace {

constexpr std::size_t field_sizes[] = {8, 8, 4, 4, 4, 1, 4, 8};
constexpr std::size_t map_id = 4;
constexpr std::size_t retain_graph_id = 5;
constexpr std::size_t identifier_end = 8;

/// A table that is being drawn.
class Weaver {
 public:
  Weaver(Random& random, std::byte* to) : random_(random), to_(to) {}

  std::size_t draw() {
    size_ = 16 + 8 * random_.below(12);
    fill();
    root_ = place(identifier_end, 4, 4);
    const std::size_t slots = random_.below(10);
    const std::size_t vtable_size = std::min(4 + 2 * slots, size_ - identifier_end);
    vtable_ = place(identifier_end, vtable_size, 2);
    put(to_, vtable_, off(vtable_size, 2), 2);
    for (std::size_t id = 0; 6 + 2 * id <= vtable_size; ++id) draw_field(id);
    put(to_, root_, off(root_ - vtable_, 1), 4);
    put(to_, 0, off(root_, 1), 4);
    return size_;
  }

 private:
  /// Values: mostly in range wherever a field lies, also -1 and -2, also anything.
  void fill() {
    constexpr std::uint64_t masks[] = {
        0x7F7F7F7F7F7F7F7F, 0x3F3F3F3F3F3F3F3F, 0x3F3F3F3F3F3F3F3F, 0x0101010101010101, 0,
        ~std::uint64_t{0}};
    for (std::size_t at = 0; at < size_; at += 8) {
      const std::size_t kind = random_.below(32);
      const std::uint64_t word = random_.next() & masks[kind % std::size(masks)];
      put(to_, at, kind < 30 ? word : ~std::uint64_t{0} - (kind - 30), 8);
    }
  }

  /// A position from `from` on for `size` bytes; `from` where there is no room.
  std::size_t place(std::size_t from, std::size_t size, std::size_t alignment) {
    const std::size_t first = (from + alignment - 1) / alignment * alignment;
    if (first + size > size_) return from;
    return first + alignment * random_.below((size_ - size - first) / alignment + 1);
  }

  /// An offset that is wrong once in 40 times: a little, a lot, or by its highest bits.
  std::size_t off(std::size_t offset, std::size_t step) {
    if (!random_.once_in(40)) return offset;
    switch (random_.below(5)) {
      case 0:
        return 0;
      case 1:
        return offset ^ static_cast<std::size_t>(random_.next() & 0xFFFF0000);
      case 2:
        return random_.below(2 * size_);
      case 3:
        return offset + 4 * step;
      default:
        return offset + step * random_.below(8) - 4 * step;
    }
  }

  void draw_field(std::size_t id) {
    const std::size_t slot_at = vtable_ + 4 + 2 * id;
    const std::size_t size = id < std::size(field_sizes) ? field_sizes[id] : 1;
    put(to_, slot_at, 0, 2);
    if (random_.once_in(3)) return;
    const std::size_t at = place(root_ + 1, size, size);
    if (at + size <= size_ && id == map_id) draw_map(at);
    if (at < size_ && id == retain_graph_id) put(to_, at, random_.once_in(4) ? 2 : 1, 1);
    put(to_, slot_at, off(at - root_, 1), 2);
  }

  void draw_map(std::size_t at) {
    const std::size_t length_at = place(at + 4, 4, 4);
    if (length_at + 4 > size_) return;
    const std::size_t room = (size_ - length_at - 4) / 4;
    const std::size_t count = random_.below(std::min<std::size_t>(room, 5) + 1);
    std::size_t source = random_.below(3);
    for (std::size_t pair = 0; pair < count; ++pair, source += random_.below(4)) {
      const std::size_t target = random_.below(12) << 8;
      put(to_, length_at + 4 + 4 * pair, (source & 3) << 8 | source >> 2 | target << 16, 4);
    }
    put(to_, length_at, off(count, 1), 4);
    put(to_, at, off(length_at - at, 2), 4);
  }

  Random& random_;
  std::byte* to_;
  std::size_t size_ = 0;
  std::size_t root_ = 0;
  std::size_t vtable_ = 0;
};

}  // namespace

std::size_t draw_woven(Random& random, std::byte* to) { return Weaver(random, to).draw(); }
