// SPDX-License-Identifier: Apache-2.0
// Opening a message in pieces: as the same bytes in one piece, whatever the cuts.
#include "gradtail/segments.hpp"

#include <doctest/doctest.h>
#include <sys/uio.h>

#include <array>
#include <deque>
#include <forward_list>
#include <list>
#include <string>

#include "gradtail/first.hpp"
#include "messages.hpp"
#include "printing.hpp"

using gradtail::AutogradMetadata;
using gradtail::Check;
using gradtail::Code;
using gradtail::Error;
using gradtail::Field;
using gradtail::TrailerScratch;
using reference::Bytes;

namespace {

/// The segments give what one span gives, and nothing is copied that needn't be.
void check_same(const Bytes& message, const Spans& segments, bool straddles) {
  const auto whole = gradtail::open(message);
  TrailerScratch scratch;
  const auto pieces = gradtail::open(segments, scratch);
  REQUIRE(whole);
  REQUIRE(same(pieces, whole));
  CHECK(std::ranges::equal(pieces->trailer(), whole->trailer()));
  CHECK(is_inside(pieces->trailer(), message) != straddles);
  CHECK(is_inside(pieces->trailer(), scratch.memory()) == straddles);
  CHECK(pieces->payload_size() == whole->payload().size());
  const auto borrowed = gradtail::open(std::span(segments), scratch);
  CHECK(borrowed.value().trailer().data() == pieces->trailer().data());
  CHECK(std::ranges::equal(joined(pieces->payload()), whole->payload()));
  for (const auto bytes : pieces->payload()) {
    CHECK(!bytes.empty());
    CHECK(is_inside(bytes, message));
  }
}

/// Of one size at the first walk, and of another at all later ones.
struct Changing {
  std::span<const std::byte> bytes;
  std::size_t first_size;
  std::size_t later_size;
  mutable int walks = 0;
  [[nodiscard]] const void* data() const { return bytes.data(); }
  [[nodiscard]] std::size_t size() const { return ++walks > 1 ? later_size : first_size; }
};

}  // namespace

TEST_CASE("any two cuts give what one span gives") {
  for (const AutogradMetadata& metadata : {reference::forward, reference::mapped}) {
    const Bytes message = reference::message_of(9, metadata);
    for (std::size_t a = 0; a <= message.size(); ++a) {
      for (std::size_t b = a; b <= message.size(); ++b) {
        const bool straddles = (a > 9 && a < message.size()) || (b > 9 && b < message.size());
        check_same(message, cut(message, {a, b}), straddles);
      }
    }
  }
}

TEST_CASE("one byte per segment, with empty segments between, opens") {
  const auto map = reference::pairs(128);
  const Bytes message =
      reference::message_of(100, reference::fields_of(gradtail::detail::all_fields, map));
  Spans segments;
  for (std::size_t i = 0; i < message.size(); ++i) {
    segments.push_back(std::span(message).subspan(i, 1));
    segments.emplace_back();
  }
  check_same(message, segments, true);
}

TEST_CASE("no segments, and segments without bytes, have no trailer") {
  TrailerScratch scratch;
  const Spans none;
  CHECK(gradtail::open(none, scratch).error().code == gradtail::Code::absent);
  const Spans empty(3);
  CHECK(gradtail::open(empty, scratch).error() ==
        gradtail::open(std::span<const std::byte>()).error());
}

TEST_CASE("any range of segments opens, and its payload is where it was") {
  const Bytes message = reference::message_of(12, reference::mapped);
  const std::string text(reinterpret_cast<const char*>(message.data()), message.size());
  TrailerScratch scratch;
  const auto opens = [&](auto&& segments) {
    const auto opened = gradtail::open(segments, scratch);
    REQUIRE(opened);
    CHECK(opened->metadata() == reference::mapped);
    CHECK(std::ranges::equal(joined(opened->payload()), std::span(message).first(12)));
  };
  opens(std::list<std::string>{text.substr(0, 5), text.substr(5, 30), text.substr(35)});
  opens(std::forward_list<std::string>{text.substr(0, 20), text.substr(20)});
  opens(std::deque<std::vector<char>>{{text.begin(), text.begin() + 12},
                                      {text.begin() + 12, text.end()}});
  opens(std::array<std::string_view, 2>{std::string_view(text).substr(0, 9),
                                        std::string_view(text).substr(9)});
  iovec vectors[] = {{const_cast<char*>(text.data()), 9},
                     {nullptr, 0},
                     {const_cast<char*>(text.data() + 9), text.size() - 9}};
  opens(vectors);
  opens(std::span(vectors));
  struct Slice {
    const void* at;
    int bytes;
    [[nodiscard]] const void* data() const { return at; }
    [[nodiscard]] auto size() const { return bytes; }
  };
  opens(std::vector<Slice>{{text.data(), 40}, {text.data() + 40, int(text.size()) - 40}});
}

TEST_CASE("the payload's segments are a forward range") {
  const Bytes message = reference::message_of(12, reference::forward);
  const Spans segments = cut(message, {4, 30});
  TrailerScratch scratch;
  const auto payload = gradtail::open(segments, scratch).value().payload();
  static_assert(std::ranges::forward_range<decltype(payload)>);
  auto at = payload.begin();
  const auto first = at++;
  CHECK((*first).size() == 4);
  CHECK((*at).size() == 8);
  CHECK(first != at);
  CHECK(first == payload.begin());
  CHECK(++at == payload.end());
  CHECK(first != gradtail::PayloadSegments(segments.begin(), 11).begin());
  CHECK(decltype(at)() == payload.end());
}

TEST_CASE("the next trailer comes off the payload's segments") {
  Bytes message = reference::message_of(12, reference::forward);
  reference::add_trailer(message, reference::mapped);
  const Spans segments = cut(message, {5, 40, 90});
  TrailerScratch first;
  TrailerScratch second;
  const auto opened = gradtail::open(segments, first);
  REQUIRE(opened);
  const auto inner = gradtail::open(opened->payload(), second);
  REQUIRE(inner);
  CHECK(opened->metadata() == reference::mapped);
  CHECK(inner->metadata() == reference::forward);
  CHECK(std::ranges::equal(joined(inner->payload()), reference::payload_of(12)));
}

TEST_CASE("sizes that add up to more than a number holds are refused, not wrapped") {
  const Bytes message = reference::message_of(36, reference::forward);
  const std::span<const std::byte> bytes = message;
  // Aliases of the same memory, all but the last one never read: as many as wrap to 36 in front.
  constexpr std::size_t huge = std::size_t{1} << (sizeof(std::size_t) * 8 - 3);
  std::vector<std::span<const std::byte>> segments(8, {bytes.data(), huge});
  segments.push_back(bytes);
  TrailerScratch scratch;
  const Error expected{Code::too_large, Check::limit, Field::none, 0};
  CHECK(gradtail::open(segments, scratch).error() == expected);
  CHECK(gradtail::open_copy(segments, scratch).error() == expected);
  CHECK(gradtail::open(gradtail::first(segments, SIZE_MAX), scratch).error() == expected);
}

TEST_CASE("segments that shrink while they are walked are refused") {
  const Bytes message = reference::message_of(5, reference::forward);
  const std::span<const std::byte> bytes = message;
  // With a cut in the trailer, and with one in the footer.
  for (const std::size_t cut : {std::size_t{30}, message.size() - 9}) {
    const Changing segments[] = {{bytes.first(cut), cut, 8},
                                 {bytes.subspan(cut), bytes.size() - cut, 8}};
    TrailerScratch scratch;
    const auto opened = gradtail::open(segments, scratch);
    REQUIRE(!opened);
    CHECK(opened.error() ==
          (cut == 30 ? Error{Code::corrupt, Check::trailer_size, Field::none, 5}
                     : Error{Code::absent, Check::magic, Field::none, message.size() - 4}));
  }
}

TEST_CASE("of segments that grow while they are walked no more is taken than they had") {
  const Bytes message = reference::message_of(0, reference::forward);
  Bytes longer = message;
  longer.resize(message.size() + 100);
  const std::span<const std::byte> bytes = longer;
  const Changing segments[] = {{bytes.first(30), 30, 30},
                               {bytes.subspan(30), message.size() - 30, longer.size() - 30}};
  Bytes memory(4096, std::byte{0xEE});
  TrailerScratch scratch(memory);
  const auto opened = gradtail::open(segments, scratch);
  REQUIRE(opened);
  CHECK(std::ranges::equal(opened->trailer(), message));
  CHECK(std::ranges::count(memory, std::byte{0xEE}) >= 4096 - 64);
}
