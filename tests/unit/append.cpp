// SPDX-License-Identifier: Apache-2.0
// Appending: payload and trailer in every kind of container, or nothing changed at all.
#include "gradtail/append.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory_resource>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "gradtail/open.hpp"
#include "messages.hpp"
#include "printing.hpp"

using gradtail::append;
using gradtail::AutogradMetadata;
using gradtail::Check;
using gradtail::Code;
using gradtail::DevicePair;
using gradtail::Error;
using gradtail::Field;
using reference::Bytes;

namespace {

/// Where a LimitedAllocator's memory comes from, and how often it still may.
struct Source {
  int allocations_left = 1000;
  std::size_t bytes_lent = 0;
};

/// Belongs to one source for good: no assignment or swap takes it along, and two are unequal where
/// their sources are. What it gets back it scribbles over.
template <class T>
struct LimitedAllocator {
  using value_type = T;
  LimitedAllocator(Source& of) : source(&of) {}  // NOLINT: as allocators are
  template <class U>
  LimitedAllocator(const LimitedAllocator<U>& other) : source(other.source) {}  // NOLINT

  T* allocate(std::size_t count) {
    if (source->allocations_left == 0) throw std::bad_alloc();
    --source->allocations_left;
    source->bytes_lent += count * sizeof(T);
    return static_cast<T*>(::operator new(count * sizeof(T)));
  }
  void deallocate(T* memory, std::size_t count) noexcept {
    std::fill_n(static_cast<volatile T*>(memory), count, static_cast<T>(0xDD));
    source->bytes_lent -= count * sizeof(T);
    ::operator delete(memory);
  }
  friend bool operator==(const LimitedAllocator&, const LimitedAllocator&) = default;

  Source* source;
};

/// Gives no more than 1000 elements at a time.
template <class T>
struct ShortAllocator : std::allocator<T> {
  static std::size_t max_size() { return 1000; }
};

template <class Char>
using LimitedString = std::basic_string<Char, std::char_traits<Char>, LimitedAllocator<Char>>;
template <class T>
using LimitedVector = std::vector<T, LimitedAllocator<T>>;

using Containers =
    std::tuple<std::vector<char>, std::vector<unsigned char>, std::vector<std::byte>, std::string,
               std::pmr::vector<char>, std::pmr::vector<std::byte>, std::pmr::string>;
using LimitedContainers =
    std::tuple<LimitedVector<char>, LimitedVector<std::byte>, LimitedString<char>>;

/// All that a refusal must leave alone.
template <class C>
auto state_of(const C& buffer) {
  const auto bytes = std::as_bytes(std::span(buffer));
  return std::tuple(static_cast<const void*>(buffer.data()), buffer.capacity(),
                    Bytes(bytes.begin(), bytes.end()));
}

}  // namespace

TEST_CASE_TEMPLATE_DEFINE(
    "the trailer follows the payload, in one eighth more memory or what a string makes of that", C,
    append_exact) {
  const auto map = reference::pairs(5);
  for (const auto set : reference::all_sets) {
    const AutogradMetadata metadata = reference::fields_of(set, map);
    for (const std::size_t payload_size :
         std::array<std::size_t, 8>{0, 1, 15, 16, 22, 23, 64, 1000}) {
      C buffer;
      fill(buffer, reference::payload_of(payload_size));
      buffer.shrink_to_fit();
      const auto appended = append(buffer, metadata);
      REQUIRE(appended);
      CHECK(*appended == gradtail::trailer_size(metadata));
      CHECK(holds(buffer, reference::message_of(payload_size, metadata)));
      constexpr bool is_string = requires { buffer.c_str(); };
      if (!is_string) CHECK(buffer.capacity() == buffer.size() + buffer.size() / 8);
    }
  }
}
TEST_CASE_TEMPLATE_APPLY(append_exact, Containers);

TEST_CASE_TEMPLATE_DEFINE("invalid metadata leaves the buffer as it was", C, append_invalid) {
  for (const auto& [field, metadata] : reference::invalid_metadata()) {
    for (const std::size_t payload_size : std::array<std::size_t, 4>{0, 1, 20, 1000}) {
      for (const bool roomy : {false, true}) {
        C buffer;
        if (roomy) buffer.reserve(payload_size + 4096);
        fill(buffer, reference::payload_of(payload_size));
        const auto before = state_of(buffer);
        const auto appended = append(buffer, metadata);
        REQUIRE(!appended);
        CHECK(appended.error() == Error{Code::invalid, Check::values, field, payload_size});
        CHECK((state_of(buffer) == before));
      }
    }
  }
}
TEST_CASE_TEMPLATE_APPLY(append_invalid, Containers);

TEST_CASE_TEMPLATE_DEFINE("an allocator that throws leaves the buffer as it was", C, append_throw) {
  for (const std::size_t payload_size : std::array<std::size_t, 5>{0, 1, 15, 16, 1000}) {
    Source source;
    C buffer(source);
    fill(buffer, reference::payload_of(payload_size));
    const auto before = state_of(buffer);
    const std::size_t lent = source.bytes_lent;
    source.allocations_left = 0;
    CHECK_THROWS_AS((void)append(buffer, reference::full), std::bad_alloc);
    CHECK((state_of(buffer) == before));
    CHECK(source.bytes_lent == lent);
    source.allocations_left = 1;
    REQUIRE(append(buffer, reference::full));
    CHECK(holds(buffer, reference::message_of(payload_size, reference::full)));
  }
}
TEST_CASE_TEMPLATE_APPLY(append_throw, LimitedContainers);

TEST_CASE("a message as large as its container can be doesn't ask for more") {
  const std::size_t size = gradtail::trailer_size(reference::mapped);
  std::vector<char, ShortAllocator<char>> buffer(1000 - size);
  REQUIRE(append(buffer, reference::mapped));
  CHECK(buffer.size() == 1000);
  CHECK_THROWS_AS((void)append(buffer, reference::mapped), std::length_error);
  CHECK(buffer.size() == 1000);
}

TEST_CASE_TEMPLATE_DEFINE("a buffer keeps its allocator, which gets all of its memory back", C,
                          append_keeps_allocator) {
  Source source;
  Source other;
  {
    C buffer(source);
    const C neighbour(100, typename C::value_type{}, other);
    fill(buffer, reference::payload_of(100));
    REQUIRE(append(buffer, reference::mapped));
    CHECK(buffer.get_allocator() == typename C::allocator_type(source));
    CHECK(buffer.get_allocator() != neighbour.get_allocator());
    CHECK(source.bytes_lent >= buffer.size());
  }
  CHECK(source.bytes_lent == 0);
  CHECK(other.allocations_left == 999);
}
TEST_CASE_TEMPLATE_APPLY(append_keeps_allocator, LimitedContainers);

TEST_CASE_TEMPLATE_DEFINE("the device map may lie in the buffer, whether it reallocates or not", C,
                          append_own_map) {
  const std::vector<DevicePair> map = reference::pairs(6);
  const Bytes trailer = reference::trailer_of({.context_id = 3, .device_map = map}, 100);
  for (std::size_t at = 0; at <= 100 - 6 * sizeof(DevicePair); ++at) {
    for (const auto& [roomy, ascending] : {std::pair(false, false), {false, true}, {true, false}}) {
      Source source;
      C buffer(source);
      if (roomy) buffer.reserve(1000);
      Bytes message = reference::payload_of(100);
      fill(buffer, message);
      const auto lent = reinterpret_cast<DevicePair*>(buffer.data() + at);
      std::ranges::copy(map, lent);
      if (!ascending) std::reverse(lent, lent + map.size());
      std::memcpy(message.data(), buffer.data(), message.size());
      message.insert(message.end(), trailer.begin(), trailer.end());
      REQUIRE(append(buffer, {.context_id = 3, .device_map = {lent, map.size()}}));
      CHECK(holds(buffer, message));
    }
  }
}
TEST_CASE_TEMPLATE_APPLY(append_own_map, LimitedContainers);

TEST_CASE_TEMPLATE("a batch of messages in one buffer takes linear time and memory", C,
                   std::vector<char>, std::string) {
  C buffer;
  std::size_t reallocations = 0;
  std::size_t moved = 0;
  for (int i = 0; i < 20000; ++i) {
    const auto* before = buffer.data();
    const std::size_t size = buffer.size();
    REQUIRE(append(buffer, {.context_id = i}));
    if (buffer.data() != before) ++reallocations, moved += size;
  }
  CHECK(reallocations < 100);
  CHECK(moved < 10 * buffer.size());
}
