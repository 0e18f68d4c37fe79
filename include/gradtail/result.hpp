// SPDX-License-Identifier: Apache-2.0
// A value or an Error, with the member names of std::expected.
#pragma once

#include <cassert>
#include <memory>
#include <optional>
#include <utility>
#include <version>

#ifdef __cpp_lib_expected
#include <expected>
#endif

#include "gradtail/error.hpp"
#include "gradtail/export.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {

/// Either a T or an Error. Not an alias of std::expected, so it is one type under every -std.
/// Asking for the one that it doesn't hold is a programming error: an assert fails, or with NDEBUG
/// the behavior is undefined.
/// No allocation of its own, no exceptions.
template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  using error_type = Error;

  constexpr Result(const T& value) : value_(value) {}                // NOLINT
  constexpr Result(T&& value) : value_(std::move(value)) {}          // NOLINT
  constexpr Result(const Error& error) noexcept : failure(error) {}  // NOLINT
  template <class... Args>
  constexpr explicit Result(std::in_place_t tag, Args&&... args)
      : value_(tag, std::forward<Args>(args)...) {}

  /// Replaces the value or the error with this error.
  constexpr Result& operator=(const Error& error) noexcept {
    value_.reset();
    failure = error;
    return *this;
  }

  [[nodiscard]] constexpr bool has_value() const noexcept { return value_.has_value(); }
  constexpr explicit operator bool() const noexcept { return has_value(); }

  [[nodiscard]] constexpr T& value() & noexcept GRADTAIL_LIFETIMEBOUND {
    return assert(has_value()), *value_;
  }
  [[nodiscard]] constexpr const T& value() const& noexcept GRADTAIL_LIFETIMEBOUND {
    return assert(has_value()), *value_;
  }
  /// Of a temporary: the value itself, so that no reference outlives it.
  [[nodiscard]] constexpr T value() && { return assert(has_value()), *std::move(value_); }
  [[nodiscard]] constexpr T value() const&& { return assert(has_value()), *value_; }

  constexpr T& operator*() & noexcept GRADTAIL_LIFETIMEBOUND { return value(); }
  constexpr const T& operator*() const& noexcept GRADTAIL_LIFETIMEBOUND { return value(); }
  constexpr T operator*() && { return std::move(*this).value(); }
  constexpr T operator*() const&& { return std::move(*this).value(); }
  constexpr T* operator->() & noexcept GRADTAIL_LIFETIMEBOUND { return std::addressof(value()); }
  constexpr const T* operator->() const& noexcept GRADTAIL_LIFETIMEBOUND {
    return std::addressof(value());
  }
  /// Deleted: the pointer would dangle, and the temporary has not been checked.
  constexpr const T* operator->() const&& = delete;

#ifdef __cpp_lib_expected
  /// As the standard's type (C++23).
  [[nodiscard]] constexpr std::expected<T, Error> to_expected() const& {
    if (has_value()) return *value_;
    return std::unexpected(failure);
  }
  [[nodiscard]] constexpr std::expected<T, Error> to_expected() && {
    if (has_value()) return std::move(*value_);
    return std::unexpected(failure);
  }
#endif

  /// The value, or `other` if there is none.
  template <class U>
  [[nodiscard]] constexpr T value_or(U&& other) const& {
    if (has_value()) return *value_;
    return static_cast<T>(std::forward<U>(other));
  }

  [[nodiscard]] constexpr const Error& error() const& noexcept GRADTAIL_LIFETIMEBOUND {
    return assert(!has_value()), failure;
  }
  [[nodiscard]] constexpr Error error() const&& noexcept { return assert(!has_value()), failure; }

 private:
  std::optional<T> value_;
  // Only written if there is no value: results that have one are cheaper to make.
  struct NoError {};
  union {
    NoError none = {};
    Error failure;
  };
};

}  // namespace GRADTAIL_ABI
}  // namespace gradtail
