// SPDX-License-Identifier: Apache-2.0
// Proves that the checksum finds every 1-, 2- and 3-bit error of the largest trailer.
//
// CRC-32C is linear: an error is unseen exactly if the syndromes of its flipped bits xor to zero.
// So no syndrome may be zero, no two may be equal, and no two may xor to a third. The bits are
// those of table, footer and checksum, and those of the payload's size, which is summed behind
// them.
#include <algorithm>
#include <bitset>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "crc32c.hpp"
#include "gradtail/metadata.hpp"

namespace {

using gradtail::detail::crc32c_step;

/// What flipping each bit of the summed words, and of the stored checksum, changes in the checksum.
std::vector<std::uint32_t> syndromes(std::size_t word_count) {
  std::vector<std::uint32_t> all;
  for (std::size_t word = 0; word < word_count; ++word) {
    for (int bit = 0; bit < 64; ++bit) {
      std::uint32_t crc = crc32c_step(0, std::uint64_t{1} << bit);
      for (std::size_t i = word + 1; i < word_count; ++i) crc = crc32c_step(crc, 0);
      all.push_back(crc);
    }
  }
  for (int bit = 0; bit < 32; ++bit) all.push_back(std::uint32_t{1} << bit);
  return all;
}

std::size_t failures(const std::vector<std::uint32_t>& sorted) {
  std::size_t failed = sorted.front() == 0 ? 1 : 0;
  for (std::size_t i = 1; i < sorted.size(); ++i) failed += sorted[i] == sorted[i - 1] ? 1U : 0U;
  std::vector<std::bitset<64>> is_syndrome(std::size_t{1} << 26);  // 2^32 bits
  for (const std::uint32_t syndrome : sorted) is_syndrome[syndrome / 64].set(syndrome % 64);
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const std::uint32_t sum = sorted[i] ^ sorted[j];
      failed += is_syndrome[sum / 64][sum % 64] ? 1U : 0U;
    }
  }
  return failed;
}

}  // namespace

int main() {
  // Without the 8 bytes of checksum and magic, but with the payload's size.
  std::vector<std::uint32_t> all = syndromes((gradtail::max_trailer_size - 8 + 8) / 8);
  std::ranges::sort(all);
  const std::size_t failed = failures(all);
  std::printf("%zu syndromes: %zu are zero, equal, or the xor of two others\n", all.size(), failed);
  return failed == 0 ? 0 : 1;
}
