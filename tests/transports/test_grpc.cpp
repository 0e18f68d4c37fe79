// SPDX-License-Identifier: Apache-2.0
// gRPC's buffers: the payload stays in its slices, which are never read, and lives long enough.
#include <doctest/doctest.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <random>
#include <vector>

#include "gradtail/grpc.hpp"
#include "guarded_memory.hpp"
#include "poke.hpp"
#include "printing.hpp"
#include "reference.hpp"

using gradtail::AutogradMetadata;
using gradtail::Code;
using gradtail::Field;
using gradtail::TrailerScratch;
using guarded::page_size;
using guarded::Pages;
using reference::Bytes;
using Slices = std::vector<grpc::Slice>;

namespace {

std::size_t allocations = 0;

}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

grpc::Slice slice_of(std::span<const std::byte> bytes) { return {bytes.data(), bytes.size()}; }

/// A slice of memory that stays the caller's.
grpc::Slice lent(std::span<std::byte> bytes) {
  return {bytes.data(), bytes.size(), [](void*) {}};
}

/// The bytes between the cuts, which ascend, in a slice each.
grpc::ByteBuffer cut(std::span<const std::byte> bytes, std::span<const std::size_t> cuts) {
  Slices slices;
  std::size_t from = 0;
  for (const std::size_t at : cuts) {
    slices.push_back(slice_of(bytes.subspan(from, at - from)));
    from = at;
  }
  slices.push_back(slice_of(bytes.subspan(from)));
  return {slices.data(), slices.size()};
}

grpc::ByteBuffer whole(std::span<const std::byte> bytes) { return cut(bytes, {}); }

Slices slices_of(const grpc::ByteBuffer& buffer) {
  Slices slices;
  if (buffer.Valid()) CHECK(buffer.Dump(&slices).ok());
  return slices;
}

Bytes joined(const auto& segments) {
  Bytes all;
  for (const auto& segment : segments) {
    const std::span bytes = std::as_bytes(std::span(segment.begin(), segment.end()));
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  return all;
}

Bytes bytes_of(const grpc::ByteBuffer& buffer) { return joined(slices_of(buffer)); }

/// The first `size` bytes of the slices lie where they did.
void check_same_memory(const Slices& now, const Slices& before, std::size_t size) {
  REQUIRE(now.size() <= before.size());
  for (std::size_t i = 0; size != 0; ++i) {
    REQUIRE(i < now.size());
    CHECK(now[i].begin() == before[i].begin());
    CHECK(now[i].size() == std::min(size, before[i].size()));
    size -= now[i].size();
  }
}

}  // namespace

TEST_CASE("append adds the trailer as one slice behind those of the payload, which stay") {
  const auto map = reference::pairs(128);
  for (const std::size_t payload_size : {0U, 1U, 24U, 1000U, 100000U}) {
    for (const unsigned set : {0x00U, 0x01U, 0x0FU, 0xFFU}) {
      const AutogradMetadata metadata = reference::fields_of(set, map);
      const Bytes payload = reference::payload_of(payload_size);
      grpc::ByteBuffer buffer = cut(payload, std::array{payload_size / 2});
      const Slices before = slices_of(buffer);
      const Bytes trailer = reference::trailer_of(metadata, payload_size);
      CHECK(gradtail::append(buffer, metadata).value() == trailer.size());
      const Slices after = slices_of(buffer);
      REQUIRE(after.size() == before.size() + 1);
      for (std::size_t i = 0; i < before.size(); ++i) {
        CHECK(after[i].size() == before[i].size());
        if (before[i].size() > GRPC_SLICE_INLINED_SIZE) {
          CHECK(after[i].begin() == before[i].begin());
        }
      }
      CHECK(joined(after) == reference::message_of(payload_size, metadata));
    }
  }
}

TEST_CASE("a buffer that was never filled is an empty payload") {
  grpc::ByteBuffer buffer;
  REQUIRE_FALSE(buffer.Valid());
  Slices slices(3);
  TrailerScratch scratch;
  CHECK(gradtail::open(buffer, slices, scratch).error().code == Code::absent);
  CHECK(slices.empty());
  CHECK(gradtail::strip(buffer, scratch).error().code == Code::absent);
  CHECK_FALSE(buffer.Valid());
  REQUIRE(gradtail::append(buffer, reference::forward));
  CHECK(bytes_of(buffer) == reference::message_of(0, reference::forward));
  REQUIRE(gradtail::strip(buffer, scratch));
  CHECK(buffer.Valid());
  CHECK(buffer.Length() == 0);
}

TEST_CASE("a buffer that shares its slices with another one leaves that as it is") {
  grpc::ByteBuffer buffer = whole(reference::payload_of(100));
  const grpc::ByteBuffer other = buffer;
  REQUIRE(gradtail::append(buffer, reference::forward));
  CHECK(bytes_of(other) == reference::payload_of(100));
  const grpc::ByteBuffer message = buffer;
  TrailerScratch scratch;
  REQUIRE(gradtail::strip(buffer, scratch));
  CHECK(bytes_of(message) == reference::message_of(100, reference::forward));
}

TEST_CASE("what append refuses leaves the buffer as it was") {
  grpc::ByteBuffer buffer = cut(reference::payload_of(100), std::array<std::size_t, 1>{40});
  const Slices before = slices_of(buffer);
  const auto refused = gradtail::append(buffer, {.from_worker_id = -2});
  CHECK(refused.error() ==
        gradtail::Error{Code::invalid, gradtail::Check::values, Field::from_worker_id, 100});
  CHECK(buffer.Length() == 100);
  CHECK(slices_of(buffer).size() == 2);
  check_same_memory(slices_of(buffer), before, 100);
}

TEST_CASE("any two cuts give what one span gives, to open and to strip") {
  const Bytes message = reference::message_of(60, reference::mapped);
  for (std::size_t a = 0; a <= message.size(); ++a) {
    for (std::size_t b = a; b <= message.size(); ++b) {
      grpc::ByteBuffer buffer = cut(message, std::array{a, b});
      const Slices before = slices_of(buffer);
      Slices slices;
      TrailerScratch scratch;
      const auto opened = gradtail::open(buffer, slices, scratch);
      REQUIRE(opened);
      CHECK(opened->metadata() == reference::mapped);
      CHECK(joined(opened->payload()) == reference::payload_of(60));
      const auto stripped = gradtail::strip(buffer, scratch);
      REQUIRE(stripped);
      CHECK(stripped->metadata() == reference::mapped);
      CHECK(stripped->trailer().data() == scratch.memory().data());
      CHECK(buffer.Length() == 60);
      CHECK(bytes_of(buffer) == reference::payload_of(60));
    }
  }
}

TEST_CASE("strip keeps the payload's memory, however little of a slice is payload") {
  for (std::size_t size = 0; size < 70; ++size) {
    grpc::ByteBuffer buffer = whole(reference::message_of(size, reference::forward));
    const Slices before = slices_of(buffer);
    TrailerScratch scratch;
    REQUIRE(gradtail::strip(buffer, scratch));
    const Slices after = slices_of(buffer);
    CHECK(after.size() == (size == 0 ? 0 : 1));
    check_same_memory(after, before, size);
  }
}

TEST_CASE("damaged messages in random pieces fail as they do in one, and strip leaves them") {
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    Bytes message = reference::message_of(random() % 60, reference::mapped);
    message[random() % message.size()] ^= static_cast<std::byte>(1U << random() % 8);
    message.resize(message.size() - (random() % 4 == 0 ? random() % message.size() : 0));
    std::vector<std::size_t> cuts(random() % 6);
    for (std::size_t& at : cuts) at = random() % (message.size() + 1);
    std::ranges::sort(cuts);
    grpc::ByteBuffer buffer = cut(message, cuts);
    const auto expected = gradtail::open(message);
    Slices slices;
    TrailerScratch scratch;
    const auto opened = gradtail::open(buffer, slices, scratch);
    const auto stripped = gradtail::strip(buffer, scratch);
    REQUIRE(opened.has_value() == expected.has_value());
    REQUIRE(stripped.has_value() == expected.has_value());
    if (expected) continue;
    CHECK(opened.error() == expected.error());
    CHECK(stripped.error() == expected.error());
    CHECK(bytes_of(buffer) == message);
  }
}

TEST_CASE("each kind of damage has its name") {
  const Bytes good = reference::message_of(50, reference::forward);
  const auto expect = [](const Bytes& message, Code code, gradtail::Limits limits = {}) {
    grpc::ByteBuffer buffer = cut(message, std::array{message.size() / 2});
    Slices slices;
    TrailerScratch scratch;
    CHECK(gradtail::open(buffer, slices, scratch, limits).error().code == code);
    CHECK(gradtail::strip(buffer, scratch, limits).error().code == code);
    CHECK(bytes_of(buffer) == message);
  };
  expect(reference::payload_of(50), Code::absent);
  expect(Bytes(good.begin(), good.end() - 1), Code::absent);
  expect(Bytes(good.begin() + 1, good.end()), Code::corrupt);
  expect(good, Code::too_large, {.trailer_size = 32});
  Bytes changed = good;
  poke(changed, good.size() - 12, 2, 2);
  expect(changed, Code::unsupported);
  expect(reference::message_of(50, {.context_id = -2}), Code::invalid);
}

TEST_CASE("a scratch smaller than the trailer refuses it as too large") {
  grpc::ByteBuffer buffer = whole(reference::message_of(50, reference::forward));
  std::array<std::byte, 63> memory;
  TrailerScratch scratch{std::span(memory)};
  CHECK(gradtail::strip(buffer, scratch).error().code == Code::too_large);
  CHECK(buffer.Length() == 114);
}

TEST_CASE("exactly one trailer is taken off, the outermost") {
  grpc::ByteBuffer buffer = whole(reference::payload_of(33));
  REQUIRE(gradtail::append(buffer, reference::forward));
  REQUIRE(gradtail::append(buffer, reference::mapped));
  TrailerScratch scratch;
  CHECK(gradtail::strip(buffer, scratch).value().metadata() == reference::mapped);
  CHECK(gradtail::strip(buffer, scratch).value().metadata() == reference::forward);
  CHECK(bytes_of(buffer) == reference::payload_of(33));
}

TEST_CASE("what open lends outlives the buffer, and what strip lends outlives both") {
  const Bytes message = reference::message_of(500, reference::mapped);
  Slices slices;
  TrailerScratch scratch;
  auto buffer = std::make_unique<grpc::ByteBuffer>(cut(message, std::array<std::size_t, 1>{250}));
  const auto opened = gradtail::open(*buffer, slices, scratch);
  buffer.reset();
  REQUIRE(opened);
  CHECK(opened->metadata() == reference::mapped);
  CHECK(joined(opened->payload()) == reference::payload_of(500));

  buffer = std::make_unique<grpc::ByteBuffer>(whole(message));
  const auto stripped = gradtail::strip(*buffer, scratch);
  buffer.reset();
  slices.clear();
  REQUIRE(stripped);
  CHECK(stripped->metadata() == reference::mapped);
  CHECK(std::ranges::equal(stripped->trailer(), std::span(message).subspan(500)));
}

TEST_CASE("memory given to a slice is released once, when nothing refers to it any more") {
  static int released = 0;
  released = 0;
  Bytes message = reference::message_of(500, reference::forward);
  Slices slices = {{message.data(), message.size(), [](void*) { ++released; }}};
  grpc::ByteBuffer buffer(slices.data(), slices.size());
  slices.clear();
  TrailerScratch scratch;
  REQUIRE(gradtail::open(buffer, slices, scratch));
  slices.clear();
  REQUIRE(gradtail::strip(buffer, scratch));
  REQUIRE(gradtail::append(buffer, reference::forward));
  CHECK(released == 0);
  buffer.Clear();
  CHECK(released == 1);
}

TEST_CASE("a payload that can't be touched is sent and received") {
  for (const std::size_t room : {page_size, std::size_t{0}}) {
    Pages pages(3);
    const std::size_t size = 2 * page_size;
    const Bytes trailer = reference::trailer_of(reference::mapped, size);
    std::ranges::copy(trailer, pages.bytes().subspan(size).begin());
    pages.forbid(0, 2);
    // Payload and trailer in one slice, or the trailer in one of its own that append makes.
    const grpc::Slice slice = lent(pages.bytes().first(size + (room ? trailer.size() : 0)));
    grpc::ByteBuffer buffer(&slice, 1);
    if (room == 0) REQUIRE(gradtail::append(buffer, reference::mapped));
    Slices slices;
    TrailerScratch scratch;
    const auto opened = gradtail::open(buffer, slices, scratch);
    REQUIRE(opened);
    CHECK((*opened->payload().begin()).data() == pages.bytes().data());
    CHECK((*opened->payload().begin()).size() == size);
    REQUIRE(gradtail::strip(buffer, scratch));
    CHECK(buffer.Length() == size);
    check_same_memory(slices_of(buffer), {slice}, size);
  }
}

TEST_CASE("a few bytes of payload before the trailer aren't touched either") {
  Pages pages(2);
  const Bytes trailer = reference::trailer_of(reference::forward, 5);
  std::ranges::copy(trailer, pages.bytes().subspan(page_size).begin());
  pages.forbid(0, 1);
  const grpc::Slice slice = lent(pages.bytes().subspan(page_size - 5, 5 + trailer.size()));
  grpc::ByteBuffer buffer(&slice, 1);
  TrailerScratch scratch;
  REQUIRE(gradtail::strip(buffer, scratch));
  check_same_memory(slices_of(buffer), {slice}, 5);
}

TEST_CASE("slices that were used before make open allocate nothing") {
  std::vector<std::size_t> cuts(100);
  for (std::size_t i = 0; i < cuts.size(); ++i) cuts[i] = 10 * i;
  const grpc::ByteBuffer buffer = cut(reference::message_of(1000, reference::forward), cuts);
  Slices slices;
  TrailerScratch scratch;
  REQUIRE(gradtail::open(buffer, slices, scratch));
  const std::size_t before = allocations;
  const bool opened = gradtail::open(buffer, slices, scratch).has_value();
  CHECK(allocations == before);
  CHECK(opened);
}

TEST_CASE("a slice and a vector of slices are bytes and segments as they are") {
  const Bytes message = reference::message_of(50, reference::forward);
  const grpc::Slice slice = slice_of(message);
  CHECK(gradtail::open(slice).value().payload().data() == static_cast<const void*>(slice.begin()));
  const Slices slices = slices_of(cut(message, std::array<std::size_t, 1>{80}));
  TrailerScratch scratch;
  CHECK(gradtail::open(slices, scratch).value().metadata() == reference::forward);
  const auto trailer = gradtail::Trailer::make(reference::forward, 50);
  REQUIRE(trailer);
  CHECK(joined(Slices{slice_of(reference::payload_of(50)), slice_of(trailer->bytes())}) == message);
}
