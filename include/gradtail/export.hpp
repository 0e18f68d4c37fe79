// SPDX-License-Identifier: Apache-2.0
// What every header needs: C++20, what the shared library exports, and under which namespace.
#pragma once

#if defined(_MSVC_LANG) ? _MSVC_LANG < 202002L : __cplusplus < 202002L
// The name of a file that isn't there, as that is the one error which stops the compiler: hundreds
// of others would follow an #error.
#include "gradtail needs C++20: compile with -std=c++20 or newer"
#endif

/// Marks what the shared library exports.
#define GRADTAIL_API __attribute__((visibility("default")))

/// The inline namespace of everything in gradtail, v<major>_<minor> of the library. Before 1.0 each
/// minor version may change types, so each has symbols of its own: two of them can be loaded into
/// one process.
#define GRADTAIL_ABI v0_1

/// Marks functions whose result refers into the object or argument marked, so that clang warns when
/// that is a temporary.
#if defined(__has_cpp_attribute) && defined(__clang__)
#if __has_cpp_attribute(clang::lifetimebound)
#define GRADTAIL_LIFETIMEBOUND [[clang::lifetimebound]]
#endif
#endif
#ifndef GRADTAIL_LIFETIMEBOUND
#define GRADTAIL_LIFETIMEBOUND
#endif
