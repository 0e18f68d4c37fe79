// SPDX-License-Identifier: Apache-2.0
// The client: one stream, all of whose answers are checked.
#pragma once

#include "options.hpp"

namespace grpc_stream {

/// Runs to the end. Throws std::runtime_error where the server can't be reached, is lost, or an
/// answer is wrong.
void call(const Options& options);

}  // namespace grpc_stream
