// SPDX-License-Identifier: Apache-2.0
// A container that lives in given memory and never touches it.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <span>

namespace guarded {

/// A gradtail::ByteContainer in memory that it doesn't own. Growing beyond it ends the program.
class PinnedBytes {
 public:
  PinnedBytes(std::span<std::byte> memory, std::size_t size) : memory_(memory), size_(size) {}

  [[nodiscard]] std::byte* begin() { return memory_.data(); }
  [[nodiscard]] std::byte* end() { return begin() + size_; }
  [[nodiscard]] const std::byte* begin() const { return memory_.data(); }
  [[nodiscard]] const std::byte* end() const { return begin() + size_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t capacity() const { return memory_.size(); }
  void reserve(std::size_t size) const {
    if (size > capacity()) std::abort();
  }
  void resize(std::size_t size) {
    reserve(size);
    size_ = size;
  }

 private:
  std::span<std::byte> memory_;
  std::size_t size_;
};

}  // namespace guarded
