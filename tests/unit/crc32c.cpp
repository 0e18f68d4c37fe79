// SPDX-License-Identifier: Apache-2.0
// The checksum: both ways of computing it give the standard's values and each other's.
#include "crc32c.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <random>

#include "reference.hpp"

using gradtail::detail::crc_start;
using gradtail::detail::crc_words;
using gradtail::detail::HardwareCrc;
using gradtail::detail::PortableCrc;

namespace {

reference::Bytes bytes_of(std::string_view text) {
  const auto* from = reinterpret_cast<const std::byte*>(text.data());
  return {from, from + text.size()};
}

template <class Crc>
std::uint32_t whole(const reference::Bytes& bytes) {
  return static_cast<std::uint32_t>(~crc_words<Crc>(crc_start, bytes.data(), bytes.size()));
}

/// One more byte behind whole words, a bit at a time.
std::uint32_t with_byte(std::uint64_t crc, char byte) {
  auto state = static_cast<std::uint32_t>(crc) ^ static_cast<std::uint32_t>(byte);
  for (int bit = 0; bit < 8; ++bit) state = state >> 1 ^ ((state & 1) != 0 ? 0x82F63B78 : 0);
  return ~state;
}

}  // namespace

TEST_CASE_TEMPLATE("the standard values come out", Crc, PortableCrc, HardwareCrc) {
  if (!std::is_same_v<Crc, PortableCrc> && !gradtail::detail::has_crc_instruction) return;
  const reference::Bytes digits = bytes_of("12345678");
  CHECK(with_byte(crc_words<Crc>(crc_start, digits.data(), 8), '9') == 0xE3069283);
  // RFC 3720, appendix B.4.
  reference::Bytes ascending(32);
  for (std::size_t i = 0; i < 32; ++i) ascending[i] = static_cast<std::byte>(i);
  CHECK(whole<Crc>(reference::Bytes(32, std::byte{0x00})) == 0x8A9136AA);
  CHECK(whole<Crc>(reference::Bytes(32, std::byte{0xFF})) == 0x62A8AB43);
  CHECK(whole<Crc>(ascending) == 0x46DD794E);
}

TEST_CASE("the reference of the tests gives the standard value") {
  CHECK(reference::crc32c(bytes_of("123456789")) == 0xE3069283);
}

#if defined(__x86_64__)
TEST_CASE("the instruction is used where the compiler's own question finds it") {
  CHECK(gradtail::detail::has_crc_instruction == (__builtin_cpu_supports("sse4.2") != 0));
}
#endif

TEST_CASE("the instruction and the portable code agree on random words") {
  if (!gradtail::detail::has_crc_instruction) return;
  std::mt19937_64 random(1);
  for (int round = 0; round < 100000; ++round) {
    const auto crc = static_cast<std::uint32_t>(random());
    const std::uint64_t word = random();
    if (HardwareCrc::step(crc, word) != PortableCrc::step(crc, word)) FAIL(crc << ' ' << word);
  }
}

TEST_CASE("words are summed as the bytes are") {
  std::mt19937_64 random(2);
  for (std::size_t size = 0; size <= 640; size += 8) {
    reference::Bytes bytes(size);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    CHECK(whole<PortableCrc>(bytes) == reference::crc32c(bytes));
  }
}
