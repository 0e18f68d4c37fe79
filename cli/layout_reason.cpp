// SPDX-License-Identifier: Apache-2.0
#include "layout_reason.hpp"

#include <cstdint>

#include "locate.hpp"

namespace gradtail::cli {
namespace {

class Reason {
 public:
  Reason(std::span<const std::byte> table, std::size_t base) : table_(table), base_(base) {}

  std::string find() {
    if (table_.size() < 8) return "the table has fewer than 8 bytes";
    const std::uint64_t root = number_at(table_, 0, 4);
    if (!fits("the root offset leads", root, 4, 4)) return reason_;
    if (root == 0) return "the root offset is 0";
    const auto distance =
        static_cast<std::int32_t>(static_cast<std::uint32_t>(number_at(table_, root, 4)));
    const std::int64_t vtable = static_cast<std::int64_t>(root) - distance;
    if (vtable < 0) {
      return "the vtable offset at byte " + byte(root) + " leads " + std::to_string(-vtable) +
             " bytes before the table";
    }
    const auto vtable_at = static_cast<std::uint64_t>(vtable);
    if (!fits("the vtable offset at byte " + byte(root) + " leads", vtable_at, 2, 2)) {
      return reason_;
    }
    const std::uint64_t size = number_at(table_, vtable_at, 2);
    if (size % 2 != 0) return "the vtable's size at byte " + byte(vtable_at) + " is odd";
    if (size > table_.size() - vtable_at) {
      return "the vtable at byte " + byte(vtable_at) + " has " + std::to_string(size) +
             " bytes, more than are left in the table";
    }
    for (std::size_t slot = 0; 4 + 2 * slot < size; ++slot) {
      if (!check_slot(slot, vtable_at + 4 + 2 * slot, root)) return reason_;
    }
    return {};
  }

 private:
  [[nodiscard]] std::string byte(std::uint64_t at) const { return std::to_string(base_ + at); }

  /// Whether `size` bytes at `at` are inside and `at` is a multiple of `alignment`.
  bool fits(const std::string& what, std::uint64_t at, std::uint64_t size,
            std::uint64_t alignment) {
    if (at > table_.size() || size > table_.size() - at) {
      reason_ = what + " to byte " + byte(at) + ", where " + std::to_string(size) +
                " bytes would end outside of the table";
    } else if (at % alignment != 0) {
      reason_ = what + " to byte " + byte(at) + ", which is " + std::to_string(at) +
                " bytes into the table, not a multiple of " + std::to_string(alignment);
    }
    return reason_.empty();
  }

  bool check_slot(std::size_t slot, std::uint64_t at, std::uint64_t root) {
    const auto known = field_in(slot);
    const std::uint64_t offset = number_at(table_, at, 2);
    if (!known || offset == 0) return true;
    const auto& [name, size] = *known;
    const std::uint64_t field = root + offset;
    if (!fits("the slot of " + name + " at byte " + byte(at) + " leads", field, size, size)) {
      return false;
    }
    return name != "device_map" || check_map(field);
  }

  bool check_map(std::uint64_t field) {
    const std::uint64_t offset = number_at(table_, field, 4);
    const std::uint64_t map = field + offset;
    if (offset == 0 || offset >= std::uint64_t{1} << 31) {
      reason_ =
          "the offset to the device map at byte " + byte(field) + " is " + std::to_string(offset);
      return false;
    }
    if (!fits("the offset to the device map at byte " + byte(field) + " leads", map, 4, 4)) {
      return false;
    }
    const std::uint64_t count = number_at(table_, map, 4);
    if (count > (table_.size() - map - 4) / 4) {
      reason_ = "the device map's length at byte " + byte(map) + " is " + std::to_string(count) +
                " pairs, more than are left in the table";
    }
    return reason_.empty();
  }

  std::span<const std::byte> table_;
  std::size_t base_;
  std::string reason_;
};

}  // namespace

std::string layout_reason(std::span<const std::byte> table, std::size_t base) {
  return Reason(table, base).find();
}

}  // namespace gradtail::cli
