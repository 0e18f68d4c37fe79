// SPDX-License-Identifier: Apache-2.0
// Marks what the shared library exports.
#pragma once

#define GRADTAIL_API __attribute__((visibility("default")))
