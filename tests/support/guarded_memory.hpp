// SPDX-License-Identifier: Apache-2.0
// Memory that faults where it must not be touched.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <span>
#include <system_error>

#include "pinned_bytes.hpp"  // IWYU pragma: export

namespace guarded {

inline const std::size_t page_size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));

/// Whole pages, zeroed. Each can be forbidden: any access is then a fault.
class Pages {
 public:
  explicit Pages(std::size_t count)
      : base_(mmap(nullptr, count * page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                   -1, 0)),
        size_(count * page_size) {
    if (base_ == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  ~Pages() { munmap(base_, size_); }

  [[nodiscard]] std::span<std::byte> bytes() const {
    return {static_cast<std::byte*>(base_), size_};
  }

  void forbid(std::size_t first, std::size_t count) { protect(first, count, PROT_NONE); }
  void allow(std::size_t first, std::size_t count) {
    protect(first, count, PROT_READ | PROT_WRITE);
  }

 private:
  void protect(std::size_t first, std::size_t count, int access) {
    std::byte* at = bytes().subspan(first * page_size, count * page_size).data();
    if (mprotect(at, count * page_size, access) != 0) {
      throw std::system_error(errno, std::generic_category(), "mprotect");
    }
  }

  void* base_;
  std::size_t size_;
};

/// Two pages to use between two forbidden ones.
class Fenced {
 public:
  Fenced() {
    pages_.forbid(0, 1);
    pages_.forbid(3, 1);
  }

  /// Bytes whose first one stands directly behind forbidden memory.
  [[nodiscard]] std::span<std::byte> front(std::size_t size) const { return usable().first(size); }

  /// Bytes whose last one stands directly before forbidden memory.
  [[nodiscard]] std::span<std::byte> back(std::size_t size) const { return usable().last(size); }

 private:
  [[nodiscard]] std::span<std::byte> usable() const {
    return pages_.bytes().subspan(page_size, 2 * page_size);
  }

  Pages pages_{4};
};

}  // namespace guarded
