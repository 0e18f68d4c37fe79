// SPDX-License-Identifier: Apache-2.0
// Server or client, as the command line says.
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "client.hpp"
#include "options.hpp"
#include "server.hpp"

int main(int argc, char** argv) {
  using namespace grpc_stream;
  try {
    const Options options = parse_options({argv + 1, argv + argc});
    if (options.help) {
      std::fputs(help_text, stdout);
      return EXIT_SUCCESS;
    }
    // What is wrong is said once, by this program.
    if (std::getenv("GRPC_VERBOSITY") == nullptr) setenv("GRPC_VERBOSITY", "NONE", 1);
    options.listen.empty() ? call(options) : serve(options.listen);
    return EXIT_SUCCESS;
  } catch (const UsageError& error) {
    std::fprintf(stderr, "grpc_stream: %s\ngrpc_stream: see --help\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "grpc_stream: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
