// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets share: inputs taken apart, messages mended, memory that ends where they do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "gradtail/metadata.hpp"
#include "gradtail/open.hpp"

namespace fuzz {

using Bytes = std::vector<std::byte>;

/// Stops the program where the library breaks a promise: the fuzzer then keeps the input.
void require(bool promise, const char* text);

/// An input, used up from its front. What it hasn't got reads as zero.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const std::byte*>(data), size) {}

  template <class T>
  T take() {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) value = value << 8 | byte();
    return static_cast<T>(value);
  }
  [[nodiscard]] std::span<const std::byte> rest() const { return rest_; }

 private:
  std::uint64_t byte();

  std::span<const std::byte> rest_;
};

/// The rest of the input as a message, mended as its first byte says: not at all; magic, version
/// and flags, without which hardly an input comes further; the checksum, too, if trailer_size
/// allows it; or also the identifier.
Bytes message_of(Input& input);

/// A copy of exactly these bytes, so that the sanitizer sees every step beyond them, at an address
/// that is `offset` past a multiple of 16.
class Placed {
 public:
  Placed(std::span<const std::byte> bytes, std::size_t offset);
  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::unique_ptr<std::byte[]> memory_;
  std::span<const std::byte> bytes_;
};

}  // namespace fuzz
