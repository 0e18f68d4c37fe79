// SPDX-License-Identifier: Apache-2.0
// gradtail check: a verdict for each of many messages.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "commands.hpp"
#include "failure.hpp"
#include "gradtail/found.hpp"
#include "gradtail/open.hpp"

namespace gradtail::cli {
namespace {

namespace fs = std::filesystem;

/// The files as given, and in place of a directory those in it, by name.
std::vector<std::string> files_of(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      files.push_back(path);
      continue;
    }
    const std::size_t first = files.size();
    for (fs::recursive_directory_iterator entry(path, error), end; entry != end && !error;
         entry.increment(error)) {
      if (std::error_code ignored; entry->is_regular_file(ignored)) files.push_back(entry->path());
    }
    if (error) throw Failure("cannot list " + path + ": " + error.message());
    if (files.size() == first) throw Failure("there are no files in " + path);
    std::sort(files.begin() + static_cast<std::ptrdiff_t>(first), files.end());
  }
  return files;
}

/// Says on a terminal how far it is, where that takes more than a second.
class Progress {
 public:
  explicit Progress(std::size_t total) : total_(total) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { clear(); }

  void show(std::size_t done) {
    const auto now = std::chrono::steady_clock::now();
    if (!is_shown_ || now < next_) return;
    next_ = now + std::chrono::milliseconds(200);
    std::fprintf(stderr, "\rchecked %zu of %zu", done, total_);
    is_dirty_ = true;
  }
  void clear() {
    if (is_dirty_) std::fputs("\r\033[K", stderr);
    is_dirty_ = false;
  }

 private:
  std::size_t total_;
  std::chrono::steady_clock::time_point next_ =
      std::chrono::steady_clock::now() + std::chrono::seconds(1);
  bool is_shown_ = isatty(STDERR_FILENO) != 0;
  bool is_dirty_ = false;
};

struct Verdict {
  int status;
  std::string text;
};

Verdict judge(const std::string& file, const CheckOptions& options) {
  try {
    const Input input = read_input(file, options.encoding);
    const auto message = open(input.bytes, {options.limit});
    if (!message) return {refused, to_string(message.error(), input.bytes)};
    return {accepted, "accepted, payload of " + std::to_string(message->payload().size()) +
                          " bytes, " + to_string(message->metadata())};
  } catch (const Failure& failure) {
    return {failed, failure.what()};
  }
}

}  // namespace

int check(const CheckOptions& options) {
  const std::vector<std::string> files = files_of(options.files);
  Progress progress(files.size());
  std::size_t counts[3] = {};
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto [status, text] = judge(files[i], options);
    ++counts[status];
    progress.show(i);
    if (status == accepted && options.quiet) continue;
    progress.clear();
    write_output("-", files[i] + ": " + text + "\n");
  }
  progress.clear();
  if (files.size() > 1) {
    std::fprintf(stderr, "%zu accepted, %zu refused, %zu not read\n", counts[accepted],
                 counts[refused], counts[failed]);
  }
  if (counts[failed] != 0) return failed;
  return counts[refused] != 0 ? refused : accepted;
}

}  // namespace gradtail::cli
