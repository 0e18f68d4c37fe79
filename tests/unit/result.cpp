// SPDX-License-Identifier: Apache-2.0
// What a Result has of std::expected.
#include "gradtail/result.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

using namespace gradtail;  // NOLINT: nearly every name of it is used here

TEST_CASE("a result has std::expected's member names, categories and constants") {
  using R = Result<int>;
  static_assert(std::is_same_v<R::value_type, int> && std::is_same_v<R::error_type, Error>);
  static_assert(std::is_convertible_v<int, R> && std::is_convertible_v<Error, R>);
  static_assert(std::is_constructible_v<bool, R> && !std::is_convertible_v<R, bool>);
  static_assert(!std::is_default_constructible_v<R>);
  static_assert(std::is_same_v<decltype(std::declval<R&>().value()), int&>);
  static_assert(std::is_same_v<decltype(std::declval<const R&>().value()), const int&>);
  static_assert(std::is_same_v<decltype(std::declval<R>().value()), int>);
  static_assert(std::is_same_v<decltype(*std::declval<R&>()), int&>);
  static_assert(std::is_same_v<decltype(*std::declval<const R&>()), const int&>);
  static_assert(std::is_same_v<decltype(*std::declval<R>()), int>);
  static_assert(std::is_same_v<decltype(std::declval<const R>().value()), int>);
  static_assert(std::is_same_v<decltype(*std::declval<const R>()), int>);
  static_assert(std::is_same_v<decltype(std::declval<R&>().operator->()), int*>);
  static_assert(std::is_same_v<decltype(std::declval<const R&>().operator->()), const int*>);
  static_assert(std::is_same_v<decltype(std::declval<const R&>().error()), const Error&>);
  static_assert(noexcept(std::declval<R&>().value())&& noexcept(*std::declval<R&>()));
  static_assert(noexcept(std::declval<R&>().error())&& noexcept(std::declval<R&>().has_value()));
  constexpr R five = 5;
  static_assert(five && five.has_value() && *five == 5 && five.value() == 5);
  static_assert(five.value_or(6) == 5);
  constexpr R bad = Error{Code::corrupt, Check::checksum, Field::none, 9};
  static_assert(!bad && !bad.has_value() && bad.value_or(6) == 6);
  static_assert(bad.error() == Error{Code::corrupt, Check::checksum, Field::none, 9});
  constexpr Result<std::string_view> in_place(std::in_place, "text", 2U);
  static_assert(in_place->size() == 2);
}

TEST_CASE("a result has its value or its error, whichever was assigned last") {
  Result<int> result = 7;
  *result = 8;
  CHECK(std::as_const(result).value() == 8);
  const Error why{Code::corrupt, Check::checksum, Field::none, 3};
  result = why;
  CHECK_FALSE(result);
  CHECK(result.error() == why);
  CHECK(result.value_or(9) == 9);
}

TEST_CASE("a result of what takes over operator& points to its value") {
  struct Greedy {
    int number;
    void operator&() const = delete;  // NOLINT: what is tested
  };
  Result<Greedy> result = Greedy{7};
  CHECK(result->number == 7);
  CHECK(std::as_const(result)->number == 7);
  CHECK((*static_cast<const Result<Greedy>&&>(result)).number == 7);
}

TEST_CASE("a result gives up a value that can only be moved") {
  Result<std::unique_ptr<int>> only_moves = std::make_unique<int>(7);
  const std::unique_ptr<int> taken = *std::move(only_moves);
  CHECK(*taken == 7);
}
