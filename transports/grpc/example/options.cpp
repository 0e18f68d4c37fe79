// SPDX-License-Identifier: Apache-2.0
// Reads the command line; says which argument is wrong and what it may be.
#include "options.hpp"

#include <charconv>
#include <string_view>

#include "passes.hpp"

namespace grpc_stream {

const char* const help_text =
    R"(grpc_stream: gradients of several passes on one gRPC stream, told apart by gradtail's trailers

usage: grpc_stream --listen HOST:PORT
       grpc_stream --connect HOST:PORT [option]...

  --listen HOST:PORT   serve there until SIGINT or SIGTERM; with port 0 the kernel chooses one, and
                       the address is printed. 0.0.0.0 is every address of this machine.
  --connect HOST:PORT  call the server there and check its answers
  --passes N           passes at once, 1 to 1024 (default 8)
  --messages N         messages of each pass, 1 to 1000000 (default 16)
  --floats N           activations in each message, 1 to 4194303; those of all passes together at
                       most 16777216 (default 1024)
  --worker N           this client's worker id, 1 to 32767 (default 1)
  --help               print this

exit status: 0 if all went well; 1 if the server can't be reached, is lost or gives a wrong answer,
or if the port is taken; 2 for wrong arguments. README.md beside the source has the protocol.
)";

namespace {

std::uint64_t parse_number(const std::string& name, std::string_view text, std::uint64_t least,
                           std::uint64_t most) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < least || number > most) {
    throw UsageError(name + " takes a whole number from " + std::to_string(least) + " to " +
                     std::to_string(most) + ", not '" + std::string(text) + "'");
  }
  return number;
}

std::string parse_address(const std::string& name, std::string_view text, std::uint64_t least) {
  const std::size_t colon = text.rfind(':');
  if (colon == 0 || colon == std::string_view::npos) {
    throw UsageError(name + " takes HOST:PORT, such as 192.0.2.1:5000 or [::1]:5000, not '" +
                     std::string(text) + "'");
  }
  parse_number("PORT of " + name, text.substr(colon + 1), least, 65535);
  return std::string(text);
}

void set(const std::string& name, std::string_view value, Options& options) {
  if (name == "--listen") {
    options.listen = parse_address(name, value, 0);
  } else if (name == "--connect") {
    options.connect = parse_address(name, value, 1);
  } else if (name == "--passes") {
    options.passes = parse_number(name, value, 1, Passes::max_open);
  } else if (name == "--messages") {
    options.messages = parse_number(name, value, 1, 1'000'000);
  } else if (name == "--floats") {
    options.floats = parse_number(name, value, 1, max_payload_size / sizeof(float) - 1);
  } else if (name == "--worker") {
    options.worker = static_cast<std::int32_t>(parse_number(name, value, 1, 32767));
  } else {
    throw UsageError("unknown argument '" + name + "'");
  }
}

void check(const Options& options) {
  if (options.help) return;
  if (options.listen.empty() == options.connect.empty()) {
    throw UsageError("either --listen HOST:PORT or --connect HOST:PORT must be given");
  }
  if (options.passes * options.floats > Passes::max_sums) {
    throw UsageError("--passes times --floats may be at most " + std::to_string(Passes::max_sums));
  }
}

}  // namespace

Options parse_options(std::span<const char* const> arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string argument = arguments[i];
    const std::size_t equals = argument.find('=');
    const std::string name = argument.substr(0, equals);
    if (argument == "--help") {
      options.help = true;
    } else if (equals != std::string::npos) {
      set(name, std::string_view(argument).substr(equals + 1), options);
    } else {
      set(name, i + 1 < arguments.size() ? arguments[++i] : "", options);
    }
  }
  check(options);
  return options;
}

}  // namespace grpc_stream
