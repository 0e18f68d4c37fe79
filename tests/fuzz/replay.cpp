// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target over its corpus, the folder CORPUS, and random changes of it, as an ordinary
// test.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Input = std::vector<std::uint8_t>;

constexpr int changed_copies = 1000;

/// In memory of exactly its size, so that a sanitizer sees every read beyond it.
void run(const Input& input) {
  const Input copy = input;  // NOLINT(performance-unnecessary-copy-initialization): its capacity
  LLVMFuzzerTestOneInput(copy.data(), copy.size());
}

/// Changes a byte: most changes keep offsets aligned or values small.
void change(Input& input, std::mt19937_64& random) {
  std::uint8_t& byte = input[random() % input.size()];
  switch (random() % 4) {
    case 0:
      byte = static_cast<std::uint8_t>(random());
      break;
    case 1:
      byte = static_cast<std::uint8_t>(random() % 64);
      break;
    case 2:
      byte ^= static_cast<std::uint8_t>(1U << random() % 8);
      break;
    default:
      byte = static_cast<std::uint8_t>(byte + 4 * (random() % 9) - 16);
  }
}

Input read(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(stream)), {});
  return {bytes.begin(), bytes.end()};
}

}  // namespace

TEST_CASE("every input of the corpus keeps the promises, and so do changed copies of it") {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(CORPUS)) files.push_back(entry);
  CHECK(!files.empty());
  std::sort(files.begin(), files.end());
  for (const std::filesystem::path& file : files) {
    SUBCASE(file.c_str()) {
      std::mt19937_64 random(1);
      const Input input = read(file);
      run(input);
      for (int i = 0; i < changed_copies && !input.empty(); ++i) {
        Input changed = input;
        for (std::uint64_t changes = 1 + random() % 4; changes-- > 0;) change(changed, random);
        run(changed);
      }
    }
  }
}
