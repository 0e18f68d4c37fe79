// SPDX-License-Identifier: Apache-2.0
// The headers in other people's programs: with macros of well-known headers, and beside functions
// that would take any arguments.
#include <doctest/doctest.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cassert>
#include <compare>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <list>
#include <memory>
#include <optional>
#include <ostream>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>
#include <version>
#ifdef __cpp_lib_format
#include <format>
#endif
#ifdef __cpp_lib_expected
#include <expected>
#endif

// windows.h, complex.h, Apple's AssertMacros.h, sys/sysmacros.h, X.h, Qt, termios.h and compilers.
// clang-format off
// NOLINTBEGIN(readability-identifier-naming): these are other people's names
#define min(a, b) not_an_expression(a, b) here
#define max(a, b) not_an_expression(a, b) here
#define check(x) not_an_expression(x) here
#define verify(x) not_an_expression(x) here
#define require(x) not_an_expression(x) here
#define major(x) not_an_expression(x) here
#define minor(x) not_an_expression(x) here
#define I not an expression
#define small not an expression
#define near not an expression
#define far not an expression
#define interface not an expression
#define IN not an expression
#define OUT not an expression
#define ERROR not an expression
#define NO_ERROR not an expression
#define DELETE not an expression
#define TRUE not an expression
#define FALSE not an expression
#define None not an expression
#define Success not an expression
#define Status not an expression
#define Bool not an expression
#define Always not an expression
#define signals not an expression
#define slots not an expression
#define emit not an expression
#define foreach not an expression
#define B0 not an expression
#define unix not an expression
#define linux not an expression
// NOLINTEND(readability-identifier-naming)
// clang-format on
#include "gradtail/gradtail.hpp"
#undef min
#undef max
#undef check
#undef verify
#undef require
#undef major
#undef minor
#undef I
#undef None

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
