// SPDX-License-Identifier: Apache-2.0
// The first bytes of segments: what was received into buffers that have room for more.
#include "gradtail/first.hpp"

#include <doctest/doctest.h>
#include <sys/uio.h>

#include <algorithm>
#include <list>
#include <string>
#include <vector>

#include "gradtail/open.hpp"
#include "messages.hpp"
#include "printing.hpp"

using gradtail::TrailerScratch;
using reference::Bytes;

namespace {

/// Buffers of the given sizes, filled as far as the message goes, with other bytes behind it.
struct Buffers {
  Buffers(const Bytes& message, std::span<const std::size_t> sizes) {
    std::size_t at = 0;
    for (const std::size_t size : sizes) {
      Bytes& part = parts.emplace_back(size, std::byte{0xEE});
      const std::size_t count = std::min(size, message.size() - at);
      std::copy_n(message.data() + at, count, part.data());
      at += count;
      vectors.push_back({part.data(), part.size()});
    }
  }

  std::list<Bytes> parts;
  std::vector<iovec> vectors;
};

template <class R>
constexpr bool takes = requires(R segments) {
  gradtail::first(std::forward<R>(segments), 1);
};

}  // namespace

TEST_CASE("a message received into larger buffers opens, wherever the buffers end") {
  const Bytes message = reference::message_of(9, reference::mapped);
  for (std::size_t a = 0; a <= message.size(); ++a) {
    for (const std::size_t b : {std::size_t{0}, std::size_t{5}, message.size() + 3}) {
      const Buffers buffers(message, std::array{a, b, message.size(), std::size_t{7}});
      TrailerScratch scratch;
      const auto received = gradtail::first(buffers.vectors, message.size());
      CHECK(joined(received) == message);
      const auto opened = gradtail::open(received, scratch);
      REQUIRE(opened);
      CHECK(opened->metadata() == reference::mapped);
      CHECK(joined(opened->payload()) == reference::payload_of(9));
      if (a > 0) CHECK((*opened->payload().begin()).data() == buffers.parts.front().data());
    }
  }
}

TEST_CASE("any number of first bytes is given, in pieces that are not empty") {
  const Bytes message = reference::message_of(20, reference::forward);
  const Buffers buffers(message, std::array<std::size_t, 5>{0, 30, 0, 50, 20});
  for (std::size_t size = 0; size <= 84; ++size) {
    const auto received = gradtail::first(buffers.vectors, size);
    CHECK(joined(received) == Bytes(message.begin(), message.begin() + std::ptrdiff_t(size)));
    for (const auto bytes : received) CHECK(!bytes.empty());
  }
}

TEST_CASE("a size above the room gives all the room and nothing else") {
  const Bytes message = reference::message_of(20, reference::forward);
  const Buffers buffers(message, std::array<std::size_t, 2>{30, 40});
  CHECK(joined(gradtail::first(buffers.vectors, 71)).size() == 70);
  CHECK(joined(gradtail::first(std::span(buffers.vectors), 71)).size() == 70);
  CHECK(joined(gradtail::first(buffers.vectors, ~std::size_t{0})).size() == 70);
  TrailerScratch scratch;
  const auto cut = gradtail::first(buffers.vectors, message.size());
  CHECK(gradtail::open(cut, scratch).error().code == gradtail::Code::absent);
  const std::vector<iovec> none;
  CHECK(joined(gradtail::first(none, 1)).empty());
}

TEST_CASE("segments that would be gone are refused") {
  static_assert(takes<std::vector<iovec>&>);
  static_assert(takes<std::span<const iovec>>);
  static_assert(!takes<std::vector<iovec>>);
  static_assert(takes<const std::list<std::string>&>);
  static_assert(!takes<std::list<std::string>>);
  static_assert(!takes<std::vector<int>&>);
}
