// SPDX-License-Identifier: Apache-2.0
// The checksum: both ways of computing it give the standard's values and each other's.
#include "crc32c.hpp"

#include <doctest/doctest.h>

#include <random>

#include "fast/cpu.hpp"
#include "little_endian.hpp"
#include "reference.hpp"

using gradtail::detail::crc32c_start;
using gradtail::detail::crc32c_step;

namespace {

/// By the portable implementation.
std::uint32_t portable(const reference::Bytes& bytes) {
  std::uint32_t crc = crc32c_start;
  for (std::size_t i = 0; i < bytes.size(); i += 8) {
    crc = crc32c_step(crc, gradtail::detail::load<std::uint64_t>(&bytes[i]));
  }
  return ~crc;
}

/// By the one that the dispatcher chose.
std::uint32_t chosen(const reference::Bytes& bytes) {
  const std::size_t rest = bytes.size() - 8;
  return gradtail::detail::crc32c(bytes.data(), rest,
                                  gradtail::detail::load<std::uint64_t>(&bytes[rest]));
}

}  // namespace

TEST_CASE("both implementations give the standard values") {
  for (const auto crc32c : {portable, chosen}) {
    // RFC 3720, appendix B.4.
    reference::Bytes ascending(32);
    for (std::size_t i = 0; i < 32; ++i) ascending[i] = static_cast<std::byte>(i);
    CHECK(crc32c(reference::Bytes(32, std::byte{0x00})) == 0x8A9136AA);
    CHECK(crc32c(reference::Bytes(32, std::byte{0xFF})) == 0x62A8AB43);
    CHECK(crc32c(ascending) == 0x46DD794E);
  }
}

TEST_CASE("the reference of the tests gives the standard value") {
  CHECK(reference::crc32c(std::as_bytes(std::span("123456789", 9))) == 0xE3069283);
}

#if defined(__x86_64__) && GRADTAIL_FAST_PATH
// Zig's runtime library always answers no, even for what all of these CPUs have.
TEST_CASE("the instruction is used where the compiler's own question finds it" *
          doctest::skip(__builtin_cpu_supports("sse2") == 0)) {
  CHECK(gradtail::detail::fast::has_crc_instruction == (__builtin_cpu_supports("sse4.2") != 0));
}
#endif

TEST_CASE("both implementations agree with a bit at a time, on random words of every count") {
  std::mt19937_64 random(2);
  for (int round = 0; round < 100; ++round) {
    for (std::size_t size = 8; size <= 640; size += 8) {
      reference::Bytes bytes(size);
      for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
      const std::uint32_t crc = portable(bytes);
      if (chosen(bytes) != crc) FAIL(size);
      if (round == 0) CHECK(crc == reference::crc32c(bytes));
    }
  }
}
