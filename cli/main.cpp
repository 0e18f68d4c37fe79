// SPDX-License-Identifier: Apache-2.0
// The program gradtail: its command line.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>

#include "commands.hpp"
#include "failure.hpp"
#include "gradtail/id.hpp"

namespace gradtail::cli {
namespace {

/// A number within the bounds of its type, or CLI11's error with what the option takes.
template <class T>
T number(std::string_view text, const char* expected) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) {
    throw CLI::ValidationError("'" + std::string(text) + "' is not " + expected);
  }
  return value;
}

std::uint64_t byte_count_of(std::string_view text) {
  return number<std::uint64_t>(text, "a number of bytes");
}

/// "281474976710661", or "1:5" for worker 1 and counter 5.
std::int64_t id_of(std::string_view text) {
  constexpr auto expected = "an id, such as 281474976710661 or, with worker and counter, 1:5";
  const std::size_t colon = text.find(':');
  if (colon == text.npos) return number<std::int64_t>(text, expected);
  const auto id = compose_id(number<std::int32_t>(text.substr(0, colon), expected),
                             number<std::uint64_t>(text.substr(colon + 1), expected));
  if (!id) throw CLI::ValidationError(to_string(id.error()));
  return *id;
}

/// "cpu", "cuda:0", "device12:3" or "12:3".
Device device_of(std::string_view text) {
  constexpr auto expected = "a device, such as cpu, cuda:0 or device12:3";
  const std::size_t colon = std::min(text.find(':'), text.size());
  const std::string_view type = text.substr(0, colon);
  Device device;
  if (type == "cuda") {
    device.type = 1;
  } else if (type != "cpu") {
    const bool is_named = type.starts_with("device");
    device.type = number<std::int8_t>(is_named ? type.substr(6) : type, expected);
  }
  if (colon != text.size()) device.index = number<std::int8_t>(text.substr(colon + 1), expected);
  return device;
}

DevicePair pair_of(std::string_view text) {
  const std::size_t middle = text.find('=');
  if (middle == text.npos) {
    throw CLI::ValidationError("'" + std::string(text) + "' is not SOURCE=TARGET");
  }
  return {device_of(text.substr(0, middle)), device_of(text.substr(middle + 1))};
}

/// The choices are in the option's type name already.
CLI::Validator one_of(const std::vector<std::string>& choices) {
  return CLI::IsMember(choices).description("");
}

/// An option whose text goes through `convert`.
template <class T, class Convert>
CLI::Option* add(CLI::App& app, const std::string& name, T& value, const std::string& help,
                 const std::string& type, Convert convert) {
  const auto set = [&value, convert, name](const std::string& text) {
    try {
      value = convert(text);
    } catch (const CLI::ValidationError& error) {
      throw CLI::ValidationError(name, error.what());
    }
  };
  return app.add_option_function<std::string>(name, set, help)->type_name(type);
}

void add_reading(CLI::App& app, Encoding& encoding, std::size_t& limit) {
  app.add_option_function<std::string>(
         "--from", [&encoding](const std::string& name) { encoding = encoding_of(name); },
         "How the bytes are written: " + std::string(to_string(encoding)) + " unless given")
      ->check(one_of({"auto", "raw", "hex", "base64"}))
      ->type_name("auto|raw|hex|base64");
  app.add_option("--limit", limit, "The largest trailer that is accepted, in bytes (4096)")
      ->check(CLI::Range(std::size_t{0}, Limits::most).description(""))
      ->type_name("N");
}

void add_file(CLI::App& app, std::string& file) {
  app.add_option("file", file, "The message; - is standard input")->type_name("FILE")->required();
}

void add_inspect(CLI::App& app, InspectOptions& options, std::string& color) {
  app.footer(R"(
Prints every part of the message with its offset, bytes and meaning, then the verdict: the check
that failed, what a receiver should do, and what may have happened. Text is decoded: digits in any
grouping, the output of xxd, hexdump -C, od -tx1 or Wireshark, and base64.

Examples:
  gradtail inspect refused.bin
  grep payload= worker.log | cut -d= -f2 | gradtail inspect -
  gradtail inspect --json message.bin | jq .trailers[0].metadata
  gradtail inspect --payload-size 1024 trailer.bin
)");
  add_file(app, options.file);
  add_reading(app, options.encoding, options.limit);
  add(app, "--payload-size", options.payload_size,
      "The file is a detached trailer, of a payload of N bytes", "N", byte_count_of);
  app.add_flag("--all", options.all, "Also the trailers at the end of the payload, one by one");
  app.add_flag("--json", options.json, "JSON for programs");
  app.add_option("--color", color, "When to use colors: on a terminal, unless NO_COLOR is set")
      ->check(one_of({"auto", "always", "never"}))
      ->type_name("auto|always|never");
}

void add_check(CLI::App& app, CheckOptions& options) {
  app.footer(R"(
Prints a line for each message. A directory stands for all files in it and in its subdirectories.

Examples:
  gradtail check received/
  gradtail check --quiet *.bin || echo "some were refused"
)");
  app.add_option("files", options.files, "The messages, or directories of them")
      ->type_name("FILE...")
      ->required();
  add_reading(app, options.encoding, options.limit);
  app.add_flag("-q,--quiet", options.quiet, "Only what is refused");
}

void add_make(CLI::App& app, MakeOptions& options) {
  app.footer(R"(
Fields that aren't given are absent. Ids are numbers, or WORKER:COUNTER.

Examples:
  gradtail make --context-id 1:5 --message-id 2:7 --payload-text hello -o message.bin
  gradtail make --context-id 7 --device cuda:0=cuda:1 --device cuda:1=cuda:0 -o mapped.bin
  gradtail make --context-id 7 --detached 1024 -o trailer.bin
)");
  const auto int32 = [](const std::string& text) {
    return number<std::int32_t>(text, "a number of 32 bits");
  };
  AutogradMetadata& m = options.metadata;
  add(app, "--context-id", m.context_id, "The distributed autograd pass", "ID", id_of);
  add(app, "--message-id", m.message_id, "The pair of send and recv functions", "ID", id_of);
  add(app, "--from-worker-id", m.from_worker_id, "The worker that sends", "N", int32);
  add(app, "--wrapped-message-type", m.wrapped_message_type, "The RPC's type of the payload", "N",
      [](const std::string& text) {
        return number<std::uint32_t>(text, "a number from 0 to 2^32-1");
      });
  app.add_option_function<std::vector<std::string>>(
         "--device",
         [&](const std::vector<std::string>& pairs) {
           for (const std::string& pair : pairs) options.device_map.push_back(pair_of(pair));
         },
         "A pair of the device map, such as cuda:0=cuda:1; may be repeated")
      ->type_name("SOURCE=TARGET")
      ->allow_extra_args(false);
  app.add_flag("--retain-graph", m.retain_graph, "Keep the graph for another pass");
  add(app, "--rref-created-on", m.rref_created_on, "Worker part of an RRef's id", "N", int32);
  add(app, "--rref-local-id", m.rref_local_id, "Local part of an RRef's id", "ID", id_of);
  auto* payload =
      app.add_option("--payload", options.payload_file, "The payload: a file; empty unless given")
          ->type_name("FILE");
  auto* text = app.add_option("--payload-text", options.payload_text, "The payload itself")
                   ->type_name("TEXT")
                   ->excludes(payload);
  add(app, "--detached", options.detached_payload_size,
      "Only the trailer, for a payload of N bytes", "N", byte_count_of)
      ->excludes(payload)
      ->excludes(text);
  app.add_option("-o,--output", options.output, "Where to write; standard output unless given")
      ->type_name("FILE");
}

void add_strip(CLI::App& app, StripOptions& options) {
  app.footer(R"(
If the message is accepted, writes the payload, the trailer or both to files.

Examples:
  gradtail strip message.bin --payload payload.bin --trailer trailer.bin
  gradtail strip message.bin --payload - | sha256sum
)");
  add_file(app, options.file);
  add_reading(app, options.encoding, options.limit);
  app.add_option("--payload", options.payload_output, "Where to write the payload")
      ->type_name("FILE");
  app.add_option("--trailer", options.trailer_output, "Where to write the trailer")
      ->type_name("FILE");
}

bool wants_color(const std::string& when) {
  if (when != "auto") return when == "always";
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return isatty(STDOUT_FILENO) != 0 && (no_color == nullptr || *no_color == '\0') &&
         (terminal == nullptr || std::string_view(terminal) != "dumb");
}

int run(int argc, char** argv) {
  CLI::App app("Looks into messages that carry gradtail metadata, and makes them.", "gradtail");
  app.footer(R"(
gradtail COMMAND --help has the options and examples of each command.

Exit status: 0 if all messages are accepted, 1 if one is refused, 2 for anything else: wrong
arguments, files that can't be read.
)");
  app.set_version_flag("--version", "gradtail " GRADTAIL_VERSION, "Print the version and exit");
  app.require_subcommand(1);
  InspectOptions inspect_options;
  std::string color = "auto";
  auto* inspect_command = app.add_subcommand("inspect", "Show what is in a message, byte by byte");
  add_inspect(*inspect_command, inspect_options, color);
  CheckOptions check_options;
  auto* check_command = app.add_subcommand("check", "Tell for many messages which are accepted");
  add_check(*check_command, check_options);
  MakeOptions make_options;
  auto* make_command = app.add_subcommand("make", "Make a message");
  add_make(*make_command, make_options);
  StripOptions strip_options;
  auto* strip_command = app.add_subcommand("strip", "Write payload and trailer apart");
  add_strip(*strip_command, strip_options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? accepted : failed;
  }
  inspect_options.color = wants_color(color);
  if (inspect_command->parsed()) return inspect(inspect_options);
  if (check_command->parsed()) return check(check_options);
  if (make_command->parsed()) return make(make_options);
  return strip(strip_options);
}

}  // namespace
}  // namespace gradtail::cli

int main(int argc, char** argv) {
  try {
    return gradtail::cli::run(argc, argv);
  } catch (const std::bad_alloc&) {
    std::fputs("gradtail: out of memory\n", stderr);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gradtail: %s\n", error.what());
  }
  return gradtail::cli::failed;
}
