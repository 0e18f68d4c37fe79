// SPDX-License-Identifier: Apache-2.0
// Server or client, as the command line says.
#include <CLI/CLI.hpp>
#include <cstdlib>

#include "ends.hpp"
#include "message.hpp"
#include "program.hpp"

namespace grpc_stream {

namespace {

int run(Options& options, const std::string& listen) {
  if (listen.empty() == options.address.empty()) {
    throw CLI::ValidationError("either --listen HOST:PORT or --connect HOST:PORT must be given");
  }
  // This program reports an error once; gRPC would log it too.
  if (std::getenv("GRPC_VERBOSITY") == nullptr) setenv("GRPC_VERBOSITY", "NONE", 1);
  if (!listen.empty()) {
    (void)support::parse_address("--listen", listen, 0);
    serve(listen);
    return EXIT_SUCCESS;
  }
  (void)support::parse_address("--connect", options.address, 1);
  if (options.passes * options.floats > max_sums) {
    throw CLI::ValidationError("--passes times --floats", "at most 16777216");
  }
  call(options);
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace grpc_stream

int main(int argc, char** argv) {
  using namespace grpc_stream;
  Options options;
  std::string listen;
  CLI::App app("Gradients of several passes on one gRPC stream, told apart by gradtail's trailers.",
               "grpc_stream");
  app.footer(
      R"(Exit status: 0 if all went well; 1 if the server can't be reached, is lost or gives a wrong answer,
or if the port is taken; 2 for wrong arguments. README.md beside the source has the protocol.)");
  app.add_option("--listen", listen,
                 "HOST:PORT: serve there until SIGINT or SIGTERM; with port 0 the kernel chooses "
                 "one, and the address is printed; 0.0.0.0 is every address of this machine");
  app.add_option("--connect", options.address,
                 "HOST:PORT: call the server there and check its answers");
  const auto add_number = [&](const char* name, auto& number, int most, const char* help) {
    app.add_option(name, number, help)->check(CLI::Range(1, most))->capture_default_str();
  };
  add_number("--passes", options.passes, max_open_passes, "passes at once");
  add_number("--messages", options.messages, 1'000'000, "messages of each pass");
  add_number("--floats", options.floats, max_payload_size / sizeof(float) - 1,
             "activations in each message; those of all passes together at most 16777216");
  add_number("--worker", options.worker, gradtail::max_id_worker, "this client's worker id");
  return support::run_program(app, argc, argv, [&] { return run(options, listen); });
}
