// SPDX-License-Identifier: Apache-2.0
// Opening one span: the checks, their order and offsets, and what comes back.
#include "gradtail/open.hpp"

#include <doctest/doctest.h>

#include <array>

#include "poke.hpp"
#include "printing.hpp"

using gradtail::AutogradMetadata;
using gradtail::Check;
using gradtail::Code;
using gradtail::Error;
using gradtail::Field;
using gradtail::Limits;
using reference::Bytes;

namespace {

Error error_of(const Bytes& message, Limits limits = {}) {
  const auto opened = gradtail::open(message, limits);
  REQUIRE(!opened);
  return opened.error();
}

}  // namespace

TEST_CASE("every set of fields comes back, with payload and trailer where they lie") {
  const auto map = reference::pairs(8);
  for (const auto set : reference::all_sets) {
    for (const std::size_t count : std::array<std::size_t, 4>{1, 2, 7, 8}) {
      const AutogradMetadata metadata = reference::fields_of(set, std::span(map).first(count));
      aligned_and_misaligned(reference::message_of(19, metadata), [&](auto bytes) {
        const auto opened = gradtail::open(bytes);
        REQUIRE(opened);
        CHECK(opened->metadata() == metadata);
        CHECK(opened->payload().data() == bytes.data());
        CHECK(opened->payload().size() == 19);
        CHECK(opened->trailer().data() == bytes.data() + 19);
        CHECK(opened->trailer().size() == bytes.size() - 19);
      });
    }
  }
}

TEST_CASE("the first check that fails is the one reported, with its place") {
  enum Defect { magic, version, flags, size, limit, checksum, identifier, layout, values, count };
  const Check checks[] = {Check::magic,        Check::version, Check::required_flags,
                          Check::trailer_size, Check::limit,   Check::checksum,
                          Check::identifier,   Check::layout,  Check::values};
  const Code codes[] = {Code::absent,      Code::unsupported, Code::unsupported,
                        Code::corrupt,     Code::too_large,   Code::corrupt,
                        Code::unsupported, Code::invalid,     Code::invalid};
  const std::size_t payload_size = 40;
  const std::size_t n = payload_size + 64;
  const std::size_t offsets[] = {n - 4, n - 12,           n - 10,       n - 16,           n - 16,
                                 n - 8, payload_size + 4, payload_size, payload_size + 32};
  for (int first = 0; first < count; ++first) {
    for (unsigned others = 0; others < 1U << count; ++others) {
      const auto has = [&](int defect) {
        return defect == first || (defect > first && (others >> defect & 1) != 0);
      };
      Bytes message = reference::message_of(payload_size, reference::forward);
      if (has(values)) poke(message, payload_size + 32, 0x8000000000000000, 8);
      if (has(layout)) poke(message, payload_size, 0, 4);
      if (has(identifier)) poke(message, payload_size + 4, 0x41, 1);
      if (has(identifier)) poke(message, payload_size + 5, 0x41, 1);
      reference::mend_checksum(message);
      if (has(checksum)) poke(message, n - 8, 0x12345678, 4);
      if (has(size)) poke(message, n - 16, 68, 4);
      if (has(flags)) poke(message, n - 10, 0x8000, 2);
      if (has(version)) poke(message, n - 12, 2, 2);
      if (has(magic)) poke(message, n - 1, 0xA6, 1);
      const Error error = error_of(message, {.trailer_size = has(limit) ? 56U : 4096U});
      const Error expected{codes[first], checks[first],
                           first == values ? Field::context_id : Field::none, offsets[first]};
      if (error != expected) FAIL(to_string(error) << " instead of " << to_string(expected));
    }
  }
}

TEST_CASE("messages shorter than a footer have no trailer") {
  const Bytes message = reference::message_of(0, {});
  for (std::size_t size = 0; size < 16; ++size) {
    const Bytes tail(message.end() - static_cast<std::ptrdiff_t>(size), message.end());
    CHECK(error_of(tail) == Error{Code::absent, Check::magic, Field::none, 0});
  }
  const Bytes footer(message.end() - 16, message.end());
  CHECK(error_of(footer) == Error{Code::corrupt, Check::trailer_size, Field::none, 0});
  CHECK(gradtail::open(std::span<const std::byte>()).error().code == Code::absent);
}

TEST_CASE("every bit of the magic counts") {
  for (std::size_t bit = 0; bit < 32; ++bit) {
    const Bytes message = reference::message_of(5, reference::forward);
    CHECK(error_of(flipped(message, 8 * (message.size() - 4) + bit)) ==
          Error{Code::absent, Check::magic, Field::none, 5 + 64 - 4});
  }
}

TEST_CASE("every other version and every required flag is refused") {
  Bytes message = reference::message_of(5, reference::forward);
  for (std::uint32_t version = 0; version < 65536; ++version) {
    if (version == 1) continue;
    poke(message, message.size() - 12, version, 2);
    reference::mend_checksum(message);
    if (error_of(message) != Error{Code::unsupported, Check::version, Field::none, 5 + 64 - 12}) {
      FAIL(version);
    }
  }
  poke(message, message.size() - 12, 1, 2);
  for (int bit = 0; bit < 16; ++bit) {
    poke(message, message.size() - 10, 1U << bit, 2);
    reference::mend_checksum(message);
    CHECK(error_of(message) ==
          Error{Code::unsupported, Check::required_flags, Field::none, 5 + 64 - 10});
  }
}

TEST_CASE("trailer_size is within the message, 32 or more, a multiple of 8") {
  const Error corrupt{Code::corrupt, Check::trailer_size, Field::none, 5 + 64 - 16};
  Bytes message = reference::message_of(5, reference::forward);
  const auto with_size = [&](std::uint32_t size) {
    poke(message, message.size() - 16, size, 4);
    return error_of(message);
  };
  for (const std::uint32_t size : {0U, 8U, 16U, 24U, 31U, 33U, 60U, 63U, 65U, 68U, 70U, 72U, 128U,
                                   0x7FFFFFF8U, 0x80000000U, 0xFFFFFFF8U, 0xFFFFFFFFU}) {
    CAPTURE(size);
    CHECK(with_size(size) == corrupt);
  }
  for (const std::uint32_t size : {32U, 40U, 48U, 56U}) {
    CHECK(with_size(size).check == Check::checksum);
  }
}

TEST_CASE("the limit is the caller's, 4096 by default, exact, and 65536 at most") {
  const auto padded_message = [](std::size_t trailer_size) {
    Bytes table = reference::table_of(reference::forward);
    table.resize(trailer_size - 16, std::byte{0});
    return reference::trailer_around(table, 0);
  };
  const auto is_too_large = [](const Bytes& message, std::size_t limit) {
    return error_of(message, {limit}) ==
           Error{Code::too_large, Check::limit, Field::none, message.size() - 16};
  };
  for (const std::size_t size : std::array<std::size_t, 4>{64, 4096, 4104, 65536}) {
    const Bytes message = padded_message(size);
    CHECK(gradtail::open(message, {size}).value().metadata() == reference::forward);
    CHECK(is_too_large(message, size - 1));
    CHECK(is_too_large(message, 0));
    CHECK(gradtail::open(message).has_value() == (size <= 4096));
  }
  CHECK(is_too_large(padded_message(65544), ~std::size_t{0}));
}

TEST_CASE("a view of no message has no metadata and no bytes") {
  const gradtail::MessageView view;
  CHECK(view.metadata() == AutogradMetadata{});
  CHECK(view.trailer().empty());
  CHECK(view.payload().empty());
}
