// SPDX-License-Identifier: Apache-2.0
// The environment variables, read when the library is loaded, and the counts.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "preload.hpp"

namespace gradtail::pytorch {
namespace {

std::array<Mode, kind_count> modes = {Mode::write, Mode::write, Mode::write, Mode::write};
constexpr std::array<std::string_view, 3> mode_names = {"read", "write", "only"};  // of `Mode`
constexpr std::array<std::string_view, kind_count> kind_names = {  // in the order of `Kind`
    "forward", "gradients", "cleanup", "rref_backward"};
Counts own_counts;
Counts* counts = &own_counts;

/// Ends the process: an exception can't be caught before main, and ignoring the mistake would hide
/// it.
[[noreturn]] void give_up(const char* value) {
  std::fprintf(
      stderr,
      "gradtail: GRADTAIL_PYTORCH is '%s': it must be MODE or MODE,KIND=MODE,..., where "
      "MODE is read (take trailers and pickles, send pickles), write (take both, send "
      "trailers) or only (take and send trailers), and KIND is forward, gradients, cleanup "
      "or rref_backward\n",
      value);
  _exit(2);
}

/// The position of the name among those. Gives up where it isn't one of them.
template <std::size_t size>
std::size_t position(const std::array<std::string_view, size>& names, std::string_view name,
                     const char* value) {
  const auto* const found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) give_up(value);
  return static_cast<std::size_t>(found - names.begin());
}

/// Takes the text up to the separator, or all of it, off the front.
std::string_view take_until(char separator, std::string_view& text) {
  const std::string_view taken = text.substr(0, text.find(separator));
  text.remove_prefix(std::min(taken.size() + 1, text.size()));
  return taken;
}

/// Reads MODE[,KIND=MODE]...: the mode of all kinds, then those of some.
void set_modes(const char* value) {
  std::string_view rest = value;
  modes.fill(static_cast<Mode>(position(mode_names, take_until(',', rest), value)));
  while (!rest.empty()) {
    std::string_view mode = take_until(',', rest);
    const std::size_t kind = position(kind_names, take_until('=', mode), value);
    modes[kind] = static_cast<Mode>(position(mode_names, mode, value));
  }
}

/// Maps the file as counts, which go on from what it holds. Null, with the reason in errno, where
/// that fails. A file of another size isn't ours.
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

/// The counts in the file. Where that fails, this process counts for itself: no reason to end it.
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
  if (const char* value = std::getenv("GRADTAIL_PYTORCH")) set_modes(value);
  const char* path = std::getenv("GRADTAIL_PYTORCH_COUNTS");
  if (path != nullptr && *path != '\0') counts = counts_in(path);
}

}  // namespace

Mode mode(Kind kind) noexcept { return modes[static_cast<std::size_t>(kind)]; }

void count(Count what) noexcept {
  (*counts)[static_cast<std::size_t>(what)].fetch_add(1, std::memory_order_relaxed);
}

}  // namespace gradtail::pytorch

const std::uint64_t* gradtail_pytorch_counts() noexcept {
  return reinterpret_cast<const std::uint64_t*>(gradtail::pytorch::counts);
}
