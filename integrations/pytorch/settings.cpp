// SPDX-License-Identifier: Apache-2.0
// The environment variables, read when the library is loaded, and the counts.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "preload.hpp"

namespace gradtail::pytorch {
namespace {

Mode chosen = Mode::write;
Counts own_counts;
Counts* counts = &own_counts;

/// Before the program has begun nothing can be thrown, and to go on would hide the mistake.
[[noreturn]] void give_up(const char* variable, const char* value, const char* why) {
  std::fprintf(stderr, "gradtail: %s is '%s': %s\n", variable, value, why);
  _exit(2);
}

Mode mode_named(const char* name) {
  const std::string_view text = name;
  if (text == "read") return Mode::read;
  if (text == "write") return Mode::write;
  if (text == "only") return Mode::only;
  give_up("GRADTAIL_PYTORCH", name,
          "it must be read (take both forms, send tuples), write (take both, send trailers) or "
          "only (trailers alone)");
}

/// The file as counts, which keep what it holds; it is made where it isn't there. Null, with the
/// reason in errno, where that can't be: a file of another size is somebody else's.
Counts* map_counts(int file) {
  struct stat now {};
  if (fstat(file, &now) != 0) return nullptr;
  if (now.st_size == 0 && ftruncate(file, sizeof(Counts)) != 0) return nullptr;
  if (now.st_size != 0 && now.st_size != sizeof(Counts)) {
    errno = EFBIG;
    return nullptr;
  }
  void* mapped = mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  return mapped == MAP_FAILED ? nullptr : static_cast<Counts*>(mapped);
}

/// Without the file this process counts for itself: that is no reason to end it.
Counts* counts_in(const char* path) {
  const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  Counts* found = file < 0 ? nullptr : map_counts(file);
  if (found == nullptr) {
    std::fprintf(stderr, "gradtail: no counts in GRADTAIL_PYTORCH_COUNTS, '%s': %s\n", path,
                 errno == EFBIG ? "it is a file of something else" : std::strerror(errno));
  }
  if (file >= 0) close(file);
  return found == nullptr ? &own_counts : found;
}

[[gnu::constructor]] void read_environment() {
  if (const char* name = std::getenv("GRADTAIL_PYTORCH")) chosen = mode_named(name);
  const char* path = std::getenv("GRADTAIL_PYTORCH_COUNTS");
  if (path != nullptr && *path != '\0') counts = counts_in(path);
}

}  // namespace

Mode mode() noexcept { return chosen; }

void count(Count what) noexcept {
  (*counts)[static_cast<std::size_t>(what)].fetch_add(1, std::memory_order_relaxed);
}

}  // namespace gradtail::pytorch

const std::uint64_t* gradtail_pytorch_counts() noexcept {
  return reinterpret_cast<const std::uint64_t*>(gradtail::pytorch::counts);
}
