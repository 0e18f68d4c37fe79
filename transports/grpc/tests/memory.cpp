// SPDX-License-Identifier: Apache-2.0
// gRPC's slices: their memory lives long enough, the payload is never touched, nothing is
// allocated.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "buffers.hpp"
#include "gradtail/grpc.hpp"
#include "guarded_memory.hpp"
#include "printing.hpp"

using gradtail::TrailerScratch;
using guarded::page_size;
using guarded::Pages;
using namespace grpc_buffers;

namespace {

std::size_t allocations = 0;

}  // namespace

[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocations;
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }

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
