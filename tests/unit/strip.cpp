// SPDX-License-Identifier: Apache-2.0
// Stripping a container: the payload stays, the trailer goes to the scratch, or nothing changes.
#include "gradtail/strip.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <memory_resource>
#include <string>

#include "messages.hpp"
#include "poke.hpp"
#include "printing.hpp"

using gradtail::AutogradMetadata;
using gradtail::TrailerScratch;
using reference::Bytes;

TEST_CASE_TEMPLATE("the payload stays where it is and the view outlives the buffer", C,
                   std::vector<char>, std::vector<unsigned char>, std::vector<std::byte>,
                   std::string, std::pmr::vector<char>, std::pmr::string) {
  const auto map = reference::pairs(9);
  for (const auto set : reference::all_sets) {
    const AutogradMetadata metadata = reference::fields_of(set, map);
    const Bytes message = reference::message_of(set, metadata);
    auto buffer = std::make_unique<C>();
    fill(*buffer, message);
    const auto* data = buffer->data();
    const std::size_t capacity = buffer->capacity();
    TrailerScratch scratch;
    const auto stripped = gradtail::strip(*buffer, scratch);
    REQUIRE(stripped);
    CHECK(holds(*buffer, std::span(message).first(set)));
    CHECK(buffer->data() == data);
    CHECK(buffer->capacity() == capacity);
    buffer->resize(message.size());  // what lay behind the payload is zero now
    CHECK(stripped->metadata() == metadata);
    buffer.reset();
    CHECK(stripped->metadata() == metadata);
    CHECK(std::ranges::equal(stripped->trailer(), std::span(message).subspan(set)));
    CHECK(stripped->trailer().data() == scratch.memory().data());
  }
}

TEST_CASE("what strip refuses it leaves alone, and it refuses as open does") {
  each_flip(reference::message_of(11, reference::mapped), 88, [](Bytes changed, std::size_t) {
    const Bytes before = changed;
    const auto opened = gradtail::open(before);
    TrailerScratch scratch;
    CHECK(same(gradtail::strip(changed, scratch), opened));
    if (!opened) CHECK(changed == before);
  });
}

TEST_CASE("stacked trailers come off one at a time") {
  Bytes message = reference::message_of(7, reference::forward);
  reference::add_trailer(message, reference::mapped);
  TrailerScratch outer;
  TrailerScratch inner;
  const auto first = gradtail::strip(message, outer);
  const auto second = gradtail::strip(message, inner);
  CHECK(first.value().metadata() == reference::mapped);
  CHECK(second.value().metadata() == reference::forward);
  CHECK(message == reference::payload_of(7));
  CHECK(gradtail::strip(message, inner).error().code == gradtail::Code::absent);
}

TEST_CASE("all of the scratch's memory is its own, as many bytes as the default limit") {
  for (const std::byte value : {std::byte{0x00}, std::byte{0xFF}}) {
    TrailerScratch scratch;
    const std::span<std::byte> memory = scratch.memory();
    CHECK(memory.size() == gradtail::Limits{}.trailer_size);
    std::ranges::fill(memory, value);
    CHECK(scratch.memory().data() == memory.data());
    CHECK(scratch.memory().size() == memory.size());
  }
}
