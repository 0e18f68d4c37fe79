// SPDX-License-Identifier: Apache-2.0
// The caller's memory for a trailer that can't stay where it was received.
#pragma once

#include <cstddef>
#include <span>

#include "gradtail/export.hpp"
#include "gradtail/wire.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {

/// Memory for the bytes of one trailer: where `open` gathers one that straddles segments, and where
/// `strip` keeps it. A plain object of 4 KiB for the stack, uninitialized, so it costs nothing to
/// make. Views point into it: it must outlive them, and each use overwrites the one before.
class TrailerScratch {
 public:
  TrailerScratch() noexcept
      : memory_(&bytes_[0], sizeof bytes_) {}  // NOLINT: bytes_ are written before they are read
  /// Uses `memory` instead, for limits above the default: give it as many bytes as the limit.
  explicit TrailerScratch(std::span<std::byte> memory) noexcept : memory_(memory) {}  // NOLINT
  TrailerScratch(const TrailerScratch&) = delete;
  TrailerScratch& operator=(const TrailerScratch&) = delete;

  /// The memory for a trailer. Readers refuse a larger trailer as over the limit.
  [[nodiscard]] std::span<std::byte> memory() & noexcept GRADTAIL_LIFETIMEBOUND { return memory_; }

 private:
  std::byte bytes_[Limits{}.trailer_size];  // NOLINT: compilers warn of a std::array
  std::span<std::byte> memory_;
};

}  // namespace GRADTAIL_ABI
}  // namespace gradtail
