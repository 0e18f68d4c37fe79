// SPDX-License-Identifier: Apache-2.0
// Trailers in one ZeroMQ message: which bytes, whose memory, and what stays as it was.
#include <dlfcn.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <new>
#include <optional>
#include <zmq.hpp>

#include "frames.hpp"
#include "printing.hpp"
#include "reference.hpp"

using gradtail::Check;
using gradtail::Code;
using gradtail::Error;
using gradtail::Field;
using gradtail::TrailerScratch;

std::atomic<std::size_t> allocations = 0;

namespace {

bool no_memory = false;

}  // namespace

/// Stands before libzmq's own, so that a test can have it out of memory.
int zmq_msg_init_data(zmq_msg_t* message, void* data, std::size_t size, zmq_free_fn* free,
                      void* hint) {
  if (no_memory) {
    errno = ENOMEM;
    return -1;
  }
  static const auto own =
      reinterpret_cast<decltype(&zmq_msg_init_data)>(dlsym(RTLD_NEXT, "zmq_msg_init_data"));
  return own(message, data, size, free, hint);
}

// All forms that libzmq calls. Not inlined: gcc would see malloc and delete in one place, and warn.
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  ++allocations;
  return std::malloc(std::max(size, std::size_t{1}));
}
void* operator new(std::size_t size) {
  if (void* memory = operator new(size, std::nothrow)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept { operator delete(memory); }
void operator delete(void* memory, const std::nothrow_t& /*tag*/) noexcept {
  operator delete(memory);
}

namespace {

/// What a free function was called with.
struct Release {
  std::size_t calls = 0;
  void* data = nullptr;

  static void free(void* data, void* hint) {
    auto* release = static_cast<Release*>(hint);
    ++release->calls;
    release->data = data;
  }
};

/// A payload with `room` bytes of 0xEE behind it.
Bytes with_room(std::size_t payload_size, std::size_t room) {
  Bytes buffer = reference::payload_of(payload_size);
  buffer.resize(payload_size + room, std::byte{0xEE});
  return buffer;
}

template <class M>
constexpr bool opens = requires(M&& message) {
  gradtail::open(std::forward<M>(message));
};

}  // namespace

TEST_CASE("payload and trailer become one message where they are") {
  const auto map = reference::pairs(128);
  for (const std::size_t payload_size : std::array<std::size_t, 4>{0, 1, 100, 16 << 20}) {
    for (const unsigned set : {0x00U, 0x0FU, 0xFFU}) {
      const AutogradMetadata metadata = reference::fields_of(set, map);
      Bytes buffer = with_room(payload_size, gradtail::max_trailer_size);
      Release release;
      const std::size_t before = allocations;
      auto message = gradtail::append(buffer, payload_size, metadata, Release::free, &release);
      CHECK(allocations == before);
      REQUIRE(message);
      CHECK(message->data() == buffer.data());
      CHECK(std::ranges::equal(bytes_of(*message), reference::message_of(payload_size, metadata)));
      const auto rest = std::span(buffer).subspan(message->size());
      CHECK(std::ranges::count(rest, std::byte{0xEE}) == std::ssize(rest));
    }
  }
}

TEST_CASE("the free function is called once, with the buffer, after the last copy") {
  Bytes buffer = with_room(50, 56);
  Release release;
  std::optional<zmq::message_t> copy(std::in_place);
  {
    const AutogradMetadata metadata{.context_id = 1, .message_id = 2};
    auto message = gradtail::append(buffer, 50, metadata, Release::free, &release);
    REQUIRE(message);
    zmq::message_t moved = std::move(*message);
    copy->copy(moved);
    CHECK(copy->data() == buffer.data());
  }
  CHECK(release.calls == 0);
  copy.reset();
  CHECK(release.calls == 1);
  CHECK(release.data == buffer.data());
}

TEST_CASE("a message that is refused leaves its buffer to the caller, unchanged") {
  struct Row {
    std::size_t payload_size;
    AutogradMetadata metadata;
    Error error;
  };
  const Row rows[] = {
      {50, refused, {Code::invalid, Check::values, Field::context_id, 50}},
      {51, {.context_id = 1}, {Code::no_space, Check::room, Field::none, 51}},
      {98, {.context_id = 1}, {Code::no_space, Check::room, Field::none, 98}},
      {99, {.context_id = 1}, {Code::no_space, Check::room, Field::none, 99}},
      {SIZE_MAX, {.context_id = 1}, {Code::no_space, Check::room, Field::none, SIZE_MAX}},
  };
  Bytes buffer = with_room(50, 48);
  const Bytes before = buffer;
  Release release;
  for (const auto& [payload_size, metadata, error] : rows) {
    const auto message = gradtail::append(buffer, payload_size, metadata, Release::free, &release);
    REQUIRE(!message);
    CHECK(message.error() == error);
    CHECK(buffer == before);
  }
  CHECK(release.calls == 0);
  REQUIRE(gradtail::append(buffer, 50, {.context_id = 1}, Release::free, &release));
  CHECK(release.calls == 1);
}

TEST_CASE("a message that libzmq has no memory for leaves its buffer to the caller, unchanged") {
  Bytes buffer = with_room(50, 48);
  const Bytes before = buffer;
  Release release;
  no_memory = true;
  CHECK_THROWS_AS(
      static_cast<void>(gradtail::append(buffer, 50, {.context_id = 1}, Release::free, &release)),
      zmq::error_t);
  no_memory = false;
  CHECK(buffer == before);
  CHECK(release.calls == 0);
}

TEST_CASE("one message opens where it is, without an allocation") {
  const Bytes whole = reference::message_of(20, reference::mapped);
  const zmq::message_t message(whole.data(), whole.size());
  const std::size_t before = allocations;
  const auto opened = gradtail::open(message);
  CHECK(allocations == before);
  REQUIRE(opened);
  CHECK(opened->metadata() == reference::mapped);
  CHECK(opened->payload().data() == message.data());
  CHECK(opened->payload().size() == 20);
  CHECK(gradtail::open(message, {.trailer_size = 32}).error().check == Check::limit);
  const zmq::message_t empty;
  CHECK(gradtail::open(empty).error().code == Code::absent);
}

TEST_CASE("a message that would be gone doesn't open") {
  static_assert(opens<zmq::message_t&>);
  static_assert(opens<const zmq::message_t&>);
  static_assert(!opens<zmq::message_t>);
  static_assert(!opens<const zmq::message_t>);
}
