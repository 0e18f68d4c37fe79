// SPDX-License-Identifier: Apache-2.0
// Macros of well-known headers, to be defined before a header of ours. All that it needs of the
// standard library is included first.
#pragma once

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

// windows.h, complex.h, Apple's AssertMacros.h, glog, sys/param.h, sys/sysmacros.h, X.h, Qt,
// termios.h and compilers.
// clang-format off
// NOLINTBEGIN(readability-identifier-naming): these are other people's names
#define min(a, b) not_an_expression(a, b) here
#define max(a, b) not_an_expression(a, b) here
#define check(x) not_an_expression(x) here
#undef CHECK  // of glog, which libtorch includes
#define CHECK(x) not_an_expression(x) here
#define verify(x) not_an_expression(x) here
#define require(x) not_an_expression(x) here
#define howmany(x, y) not_an_expression(x, y) here
#define isset(a, i) not_an_expression(a, i) here
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
