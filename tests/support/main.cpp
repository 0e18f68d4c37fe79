// SPDX-License-Identifier: Apache-2.0
// The test program's main.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
