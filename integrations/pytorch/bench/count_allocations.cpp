// SPDX-License-Identifier: Apache-2.0
// Counts a process's heap allocations and their bytes, by preloading. For bench/cost.py.
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "gradtail/export.hpp"

extern "C" {
void* __libc_malloc(std::size_t size);                           // NOLINT: glibc's names
void* __libc_calloc(std::size_t count, std::size_t size);        // NOLINT
void* __libc_realloc(void* memory, std::size_t size);            // NOLINT
void* __libc_memalign(std::size_t alignment, std::size_t size);  // NOLINT
}

namespace {

std::atomic<std::uint64_t> counted[2];  // allocations, bytes

void* count(void* memory, std::size_t size) noexcept {
  counted[0].fetch_add(1, std::memory_order_relaxed);
  counted[1].fetch_add(size, std::memory_order_relaxed);
  return memory;
}

}  // namespace

extern "C" {

GRADTAIL_API const std::uint64_t* counted_allocations() {
  return reinterpret_cast<const std::uint64_t*>(counted);
}

GRADTAIL_API void* malloc(std::size_t size) noexcept { return count(__libc_malloc(size), size); }

GRADTAIL_API void* calloc(std::size_t number, std::size_t size) noexcept {
  return count(__libc_calloc(number, size), number * size);
}

GRADTAIL_API void* realloc(void* memory, std::size_t size) noexcept {
  return count(__libc_realloc(memory, size), size);
}

GRADTAIL_API void* memalign(std::size_t alignment, std::size_t size) noexcept {
  return count(__libc_memalign(alignment, size), size);
}

GRADTAIL_API void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  return count(__libc_memalign(alignment, size), size);
}

GRADTAIL_API int posix_memalign(void** memory, std::size_t alignment, std::size_t size) noexcept {
  void* made = count(__libc_memalign(alignment, size), size);
  if (made == nullptr) return ENOMEM;
  *memory = made;
  return 0;
}
}
