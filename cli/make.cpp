// SPDX-License-Identifier: Apache-2.0
// gradtail make and gradtail strip: putting messages together and taking them apart.
#include <unistd.h>

#include <cstdio>

#include "commands.hpp"
#include "failure.hpp"
#include "gradtail/found.hpp"
#include "gradtail/open.hpp"
#include "gradtail/trailer.hpp"

namespace gradtail::cli {
namespace {

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Bytes on a terminal help nobody.
void write_bytes(const std::string& path, std::string_view bytes) {
  if (path == "-" && isatty(STDOUT_FILENO) != 0) {
    throw Failure("these are bytes, not for a terminal: name a file, or pipe them into a program");
  }
  write_output(path, bytes);
}

}  // namespace

int make(const MakeOptions& options) {
  std::string message = options.payload_text;
  if (options.payload_file) {
    message = text_of(read_input(*options.payload_file, Encoding::raw).bytes);
  }
  AutogradMetadata metadata = options.metadata;
  metadata.device_map = options.device_map;
  const auto trailer =
      Trailer::make(metadata, options.detached_payload_size.value_or(message.size()));
  if (!trailer) throw Failure("the message can't be made: " + to_string(trailer.error()));
  if (options.detached_payload_size) message.clear();
  message += text_of(trailer->bytes());
  write_bytes(options.output, message);
  return accepted;
}

int strip(const StripOptions& options) {
  if (!options.payload_output && !options.trailer_output) {
    throw Failure("say where to write the payload or the trailer: --payload FILE, --trailer FILE");
  }
  const Input input = read_input(options.file, options.encoding);
  const auto message = open(input.bytes, {options.limit});
  if (!message) {
    std::fprintf(stderr, "gradtail: %s: %s\n", options.file.c_str(),
                 to_string(message.error(), input.bytes).c_str());
    return refused;
  }
  if (options.payload_output) write_bytes(*options.payload_output, text_of(message->payload()));
  if (options.trailer_output) write_bytes(*options.trailer_output, text_of(message->trailer()));
  return accepted;
}

}  // namespace gradtail::cli
