// SPDX-License-Identifier: Apache-2.0
// The server: any number of streams from any number of clients.
#pragma once

#include <string>

namespace grpc_stream {

/// Serves at HOST:PORT until SIGINT or SIGTERM. Throws std::runtime_error where it can't listen.
void serve(const std::string& address);

}  // namespace grpc_stream
