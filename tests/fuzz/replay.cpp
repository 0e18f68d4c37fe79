// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target over its corpus, as an ordinary test in the TAP format. An empty one fails.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) {
  if (argc != 2 || !std::filesystem::is_directory(argv[1])) {
    std::fputs("usage: replay DIRECTORY\nRuns the target over each file of the directory.\n",
               stderr);
    return 2;
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) files.push_back(entry);
  std::sort(files.begin(), files.end());
  int count = 0;
  for (const std::filesystem::path& file : files) {
    std::ifstream stream(file, std::ios::binary);
    const std::vector<char> bytes((std::istreambuf_iterator<char>(stream)), {});
    // Exactly as large as the input, so that reading beyond it is seen.
    const std::vector<std::uint8_t> input(bytes.begin(), bytes.end());
    LLVMFuzzerTestOneInput(input.data(), input.size());
    std::printf("ok %d - %s\n", ++count, file.filename().c_str());
  }
  if (count == 0) std::printf("not ok 1 - the corpus %s is empty\n", argv[1]);
  std::printf("1..%d\n", std::max(count, 1));
  return count == 0 ? 1 : 0;
}
