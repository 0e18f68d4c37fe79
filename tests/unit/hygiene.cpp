// SPDX-License-Identifier: Apache-2.0
// The headers beside other people's functions that would take any arguments.
#include <doctest/doctest.h>

#include <array>
#include <span>
#include <vector>

#include "gradtail/gradtail.hpp"

/// Functions of the names that gradtail uses inside, which argument-dependent lookup would find.
namespace greedy {

struct Buffer {
  const void* base;
  std::size_t length;
  [[nodiscard]] const void* data() const { return base; }
  [[nodiscard]] std::size_t size() const { return length; }
};

/// As std::vector<char>, in this namespace.
struct Chars : std::vector<char> {
  using std::vector<char>::vector;
};

// clang-format off
template <class... T> void slice(T&&...) { static_assert(sizeof...(T) == 99); }
template <class... T> void slice_of(T&&...) { static_assert(sizeof...(T) == 99); }
template <class... T> void first(T&&...) { static_assert(sizeof...(T) == 99); }
template <class... T> void open(T&&...) { static_assert(sizeof...(T) == 99); }
template <class... T> void open_copy(T&&...) { static_assert(sizeof...(T) == 99); }
template <class... T> void open_trailer(T&&...) { static_assert(sizeof...(T) == 99); }
template <class... T> void append(T&&...) { static_assert(sizeof...(T) == 99); }
template <class... T> void append_growing(T&&...) { static_assert(sizeof...(T) == 99); }
template <class... T> void strip(T&&...) { static_assert(sizeof...(T) == 99); }
template <class... T> void peek(T&&...) { static_assert(sizeof...(T) == 99); }
template <class... T> void total_size(T&&...) { static_assert(sizeof...(T) == 99); }
template <class... T> void segment_bytes(T&&...) { static_assert(sizeof...(T) == 99); }
template <class... T> void readable(T&&...) { static_assert(sizeof...(T) == 99); }
template <class... T> void writable(T&&...) { static_assert(sizeof...(T) == 99); }
template <class... T> void trailer_size(T&&...) { static_assert(sizeof...(T) == 99); }
template <class... T> void write_trailer(T&&...) { static_assert(sizeof...(T) == 99); }
template <class... T> void try_write(T&&...) { static_assert(sizeof...(T) == 99); }
template <class... T> void write_error(T&&...) { static_assert(sizeof...(T) == 99); }
template <class... T> void move(T&&...) { static_assert(sizeof...(T) == 99); }
template <class... T> void forward(T&&...) { static_assert(sizeof...(T) == 99); }
template <class... T> void exchange(T&&...) { static_assert(sizeof...(T) == 99); }
template <class... T> void addressof(T&&...) { static_assert(sizeof...(T) == 99); }
template <class... T> void min(T&&...) { static_assert(sizeof...(T) == 99); }
template <class... T> void memcpy(T&&...) { static_assert(sizeof...(T) == 99); }
// clang-format on

}  // namespace greedy

TEST_CASE("a namespace with functions of the same names changes nothing") {
  greedy::Chars chars(20, 'x');
  REQUIRE(gradtail::append(chars, {.context_id = 7}));
  chars.reserve(chars.size() + 100);
  REQUIRE(gradtail::append(chars, {.context_id = 8}));
  gradtail::TrailerScratch scratch;
  CHECK(gradtail::open_copy(chars, scratch).value().metadata().context_id == 8);
  CHECK(gradtail::peek(chars, chars.size()).value() == 48);
  CHECK(gradtail::strip(chars, scratch).value().metadata().context_id == 8);
  CHECK(gradtail::open(chars).value().metadata().context_id == 7);
  const std::array buffers{greedy::Buffer{chars.data(), 30},
                           greedy::Buffer{chars.data() + 30, chars.size() - 30}};
  CHECK(gradtail::open(buffers, scratch).value().metadata().context_id == 7);
  CHECK(gradtail::open_copy(buffers, scratch).value().metadata().context_id == 7);
  const auto received = gradtail::first(buffers, chars.size());
  CHECK(gradtail::open(received, scratch).value().payload_size() == 20);
  greedy::Chars room(100);
  REQUIRE(gradtail::write_trailer(room, {.context_id = 9}, 3));
  CHECK(gradtail::open_trailer(std::span(room).first(48), 3).has_value());
}
