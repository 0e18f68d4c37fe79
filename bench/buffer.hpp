// SPDX-License-Identifier: Apache-2.0
// A container over memory that is there, which keeps its bytes when it shrinks: a message in it can
// be stripped again and again.
#pragma once

#include <cstddef>
#include <span>

namespace bench {

class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::span<std::byte> memory) : memory_(memory), size_(memory.size()) {}

  [[nodiscard]] std::byte* begin() { return memory_.data(); }
  [[nodiscard]] std::byte* end() { return memory_.data() + size_; }
  [[nodiscard]] const std::byte* begin() const { return memory_.data(); }
  [[nodiscard]] const std::byte* end() const { return memory_.data() + size_; }
  [[nodiscard]] std::size_t capacity() const { return memory_.size(); }
  void reserve(std::size_t) {}
  void resize(std::size_t size) { size_ = size; }

  /// All of its memory is the message again.
  void restore() { size_ = memory_.size(); }

 private:
  std::span<std::byte> memory_;
  std::size_t size_ = 0;
};

}  // namespace bench
