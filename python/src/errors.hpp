// SPDX-License-Identifier: Apache-2.0
// Errors of the library as exceptions of the package gradtail.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "gradtail/error.hpp"
#include "gradtail/found.hpp"
#include "gradtail/result.hpp"

namespace gradtail::python {

/// Raises the exception of the error's code, with its sentence or the given text.
[[noreturn]] void raise(const Error& error);
[[noreturn]] void raise(const Error& error, const std::string& text);

/// The value of a result, or its error as an exception.
template <class T>
T value_or_raise(Result<T>&& result) {
  if (!result) raise(result.error());
  return *std::move(result);
}

/// Of a result of reading: the exception's sentence says what was found in the message, too.
template <class T>
T value_or_raise(Result<T>&& result, std::span<const std::byte> message) {
  if (!result) raise(result.error(), to_string(result.error(), message));
  return *std::move(result);
}

}  // namespace gradtail::python
