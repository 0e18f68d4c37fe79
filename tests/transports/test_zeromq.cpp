// SPDX-License-Identifier: Apache-2.0
// Trailers in ZeroMQ messages: which bytes, whose memory, and what stays as it was.
#include <dlfcn.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <deque>
#include <new>
#include <optional>
#include <stdexcept>
#include <vector>
#include <zmq.hpp>
#include <zmq_addon.hpp>

#include "gradtail/zeromq.hpp"
#include "printing.hpp"
#include "reference.hpp"

using gradtail::AutogradMetadata;
using gradtail::Check;
using gradtail::Code;
using gradtail::Error;
using gradtail::Field;
using gradtail::TrailerScratch;
using reference::Bytes;
using Frames = std::vector<zmq::message_t>;

namespace {

bool no_memory = false;
std::atomic<std::size_t> allocations = 0;

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

std::span<const std::byte> bytes_of(const zmq::message_t& message) {
  return {message.data<std::byte>(), message.size()};
}

zmq::message_t frame_of(std::span<const std::byte> bytes) { return {bytes.data(), bytes.size()}; }

/// A payload with `room` bytes of 0xEE behind it.
Bytes with_room(std::size_t payload_size, std::size_t room) {
  Bytes buffer = reference::payload_of(payload_size);
  buffer.resize(payload_size + room, std::byte{0xEE});
  return buffer;
}

/// Frames of the given sizes, which together are the message.
template <class C = Frames>
C cut(std::span<const std::byte> message, std::initializer_list<std::size_t> sizes) {
  C frames;
  std::size_t at = 0;
  for (const std::size_t size : sizes) {
    frames.push_back(frame_of(message.subspan(at, size)));
    at += size;
  }
  frames.push_back(frame_of(message.subspan(at)));
  return frames;
}

Bytes joined(const auto& frames) {
  Bytes all;
  for (const auto& frame : frames) {
    const auto bytes = gradtail::detail::segment_bytes(frame);
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  return all;
}

std::vector<const void*> addresses(const auto& frames) {
  std::vector<const void*> all;
  all.reserve(frames.size());
  for (const zmq::message_t& frame : frames) all.push_back(frame.data());
  return all;
}

constexpr AutogradMetadata refused{.context_id = -2};

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

TEST_CASE_TEMPLATE("the trailer becomes a last frame, and the payload's frames stay", C, Frames,
                   std::deque<zmq::message_t>, zmq::multipart_t) {
  const auto map = reference::pairs(128);
  for (const unsigned set : {0x00U, 0x0FU, 0xFFU}) {
    const AutogradMetadata metadata = reference::fields_of(set, map);
    const Bytes payload = reference::payload_of(1000);
    for (auto sizes : {std::initializer_list<std::size_t>{}, {0}, {400, 0, 100}, {1000}}) {
      auto frames = cut<C>(payload, sizes);
      if constexpr (std::is_same_v<C, Frames>) frames.reserve(frames.size() + 1);
      const auto before = addresses(frames);
      const auto size = gradtail::append(frames, metadata);
      REQUIRE(size);
      CHECK(*size == gradtail::trailer_size(metadata));
      CHECK(frames.size() == before.size() + 1);
      CHECK(joined(frames) == reference::message_of(1000, metadata));
      const auto trailer = bytes_of(*std::prev(frames.end()));
      CHECK(std::ranges::equal(trailer, reference::trailer_of(metadata, 1000)));
      auto after = addresses(frames);
      after.pop_back();
      CHECK(after == before);
    }
  }
}

TEST_CASE("no frames are an empty payload") {
  Frames frames;
  REQUIRE(gradtail::append(frames, reference::forward));
  CHECK(joined(frames) == reference::trailer_of(reference::forward, 0));
  TrailerScratch scratch;
  REQUIRE(gradtail::strip(frames, scratch));
  CHECK(frames.empty());
}

TEST_CASE("frames that a trailer is refused for stay as they are") {
  Frames frames = cut(reference::payload_of(100), {30});
  const auto before = addresses(frames);
  const auto size = gradtail::append(frames, refused);
  REQUIRE(!size);
  CHECK(size.error() == Error{Code::invalid, Check::values, Field::context_id, 100});
  CHECK(addresses(frames) == before);
}

TEST_CASE("one message opens as its bytes do, however short") {
  for (const AutogradMetadata& metadata : {reference::forward, reference::mapped}) {
    const Bytes whole = reference::message_of(20, metadata);
    for (std::size_t size = 0; size <= whole.size(); ++size) {
      const zmq::message_t message(whole.data(), size);
      const std::size_t before = allocations;
      const auto opened = gradtail::open(message);
      CHECK(allocations == before);
      const auto expected = gradtail::open(bytes_of(message));
      REQUIRE(opened.has_value() == expected.has_value());
      REQUIRE(opened.has_value() == (size == whole.size()));
      if (!opened) {
        CHECK(opened.error() == expected.error());
        continue;
      }
      CHECK(opened->metadata() == metadata);
      CHECK(opened->payload().data() == message.data());
      CHECK(opened->payload().size() == 20);
    }
    const zmq::message_t message(whole.data(), whole.size());
    CHECK(gradtail::open(message, {.trailer_size = 32}).error().check == Check::limit);
  }
}

TEST_CASE("a message that would be gone doesn't open") {
  static_assert(opens<zmq::message_t&>);
  static_assert(opens<const zmq::message_t&>);
  static_assert(!opens<zmq::message_t>);
  static_assert(!opens<const zmq::message_t>);
}

TEST_CASE("frames are segments, and the payload's are where they were") {
  const Bytes message = reference::message_of(100, reference::mapped);
  for (std::size_t a = 0; a <= message.size(); a += 7) {
    for (std::size_t b = 0; a + b <= message.size(); b += 5) {
      const Frames frames = cut(message, {a, b});
      TrailerScratch scratch;
      const auto opened = gradtail::open(frames, scratch);
      REQUIRE(opened);
      CHECK(opened->metadata() == reference::mapped);
      CHECK(joined(opened->payload()) == reference::payload_of(100));
      if (a > 0) CHECK((*opened->payload().begin()).data() == frames.front().data());
    }
  }
}

TEST_CASE("the part of a message behind its address opens") {
  Frames frames = cut(reference::payload_of(100), {40});
  REQUIRE(gradtail::append(frames, reference::forward));
  frames.emplace(frames.begin(), "peer", 4);
  TrailerScratch scratch;
  CHECK(gradtail::open(frames, scratch).error().check == Check::checksum);
  const auto opened = gradtail::open(std::span(frames).subspan(1), scratch);
  REQUIRE(opened);
  CHECK(opened->payload_size() == 100);
}

TEST_CASE_TEMPLATE("strip takes the last frame and needs nothing of the others", C, Frames,
                   std::deque<zmq::message_t>, zmq::multipart_t) {
  auto frames = cut<C>(reference::payload_of(100), {0, 40});
  REQUIRE(gradtail::append(frames, reference::full));
  const auto sent = addresses(frames);
  TrailerScratch scratch;
  const std::size_t count = allocations;
  const auto stripped = gradtail::strip(frames, scratch);
  CHECK(allocations == count);
  REQUIRE(stripped);
  CHECK(frames.size() == 3);
  CHECK(joined(frames) == reference::payload_of(100));
  auto after = addresses(frames);
  after.push_back(sent.back());
  CHECK(after == sent);
  frames.clear();
  CHECK(stripped->metadata() == reference::full);
  CHECK(stripped->trailer().data() == scratch.memory().data());
  CHECK(std::ranges::equal(stripped->trailer(), reference::trailer_of(reference::full, 100)));
}

TEST_CASE("strip refuses what open refuses, with the same error and the frames unchanged") {
  const Bytes message = reference::message_of(100, reference::full);
  for (std::size_t at = 100; at < message.size(); ++at) {
    Bytes damaged = message;
    damaged[at] ^= std::byte{0x10};
    Frames frames = cut(damaged, {60, 40});
    const auto before = addresses(frames);
    TrailerScratch scratch;
    const auto stripped = gradtail::strip(frames, scratch);
    REQUIRE(!stripped);
    CHECK(stripped.error() == gradtail::open(damaged).error());
    CHECK(addresses(frames) == before);
    CHECK(joined(frames) == damaged);
  }
}

TEST_CASE("strip refuses a trailer that isn't just the last frame") {
  const Bytes message = reference::message_of(100, reference::forward);
  const std::initializer_list<std::size_t> cuts[] = {{}, {99}, {101}, {100, 1}, {100, 64}};
  for (const auto& sizes : cuts) {
    Frames frames = cut(message, sizes);
    TrailerScratch scratch;
    REQUIRE(gradtail::open(frames, scratch));
    const auto stripped = gradtail::strip(frames, scratch);
    REQUIRE(!stripped);
    CHECK(stripped.error() == Error{Code::invalid, Check::trailer_size, Field::none, 148});
    CHECK(frames.size() == sizes.size() + 1);
    CHECK(joined(frames) == message);
  }
}

TEST_CASE("strip keeps to the limit and to the scratch's size") {
  Frames frames = cut(reference::message_of(100, reference::forward), {100});
  Bytes memory(64);
  TrailerScratch small{std::span(memory).first(63)};
  CHECK(gradtail::strip(frames, small).error().check == Check::limit);
  TrailerScratch enough(memory);
  CHECK(gradtail::strip(frames, enough, {.trailer_size = 63}).error().check == Check::limit);
  CHECK(gradtail::strip(frames, enough).has_value());
}
