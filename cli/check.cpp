// SPDX-License-Identifier: Apache-2.0
// gradtail check: a verdict for each of many messages.
#include <algorithm>
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
  std::size_t counts[3] = {};
  for (const std::string& file : files) {
    const auto [status, text] = judge(file, options);
    ++counts[status];
    if (status == accepted && options.quiet) continue;
    write_output("-", file + ": " + text + "\n");
  }
  if (files.size() > 1) {
    std::fprintf(stderr, "%zu accepted, %zu refused, %zu not read\n", counts[accepted],
                 counts[refused], counts[failed]);
  }
  if (counts[failed] != 0) return failed;
  return counts[refused] != 0 ? refused : accepted;
}

}  // namespace gradtail::cli
