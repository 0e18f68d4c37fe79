// SPDX-License-Identifier: Apache-2.0
// gradtail inspect: what is in a message, byte by byte.
#include "anatomy.hpp"
#include "commands.hpp"
#include "failure.hpp"
#include "print.hpp"

namespace gradtail::cli {
namespace {

/// The message, and with `all` what is in its payload, until that ends in no trailer.
std::vector<Anatomy> dissect_all(std::span<const std::byte> bytes, const InspectOptions& options) {
  const Limits limits{options.limit};
  std::vector<Anatomy> anatomies{dissect(bytes, options.payload_size, limits)};
  while (options.all && !options.payload_size && !anatomies.back().error) {
    Anatomy inner = dissect(bytes.first(*anatomies.back().trailer_at), {}, limits);
    if (inner.error && inner.error->code == Code::absent) break;
    anatomies.push_back(std::move(inner));
  }
  return anatomies;
}

std::string heading(const Anatomy& anatomy, const InspectOptions& options) {
  std::string text = std::to_string(anatomy.size) + " bytes";
  if (options.payload_size) {
    return text + ", a detached trailer of a payload of " + std::to_string(*options.payload_size);
  }
  if (!anatomy.trailer_at) return text;
  const std::size_t t = anatomy.size - *anatomy.trailer_at;
  return text + ": payload " + std::to_string(*anatomy.trailer_at) + ", table " +
         std::to_string(t - footer_size) + ", footer " + std::to_string(footer_size);
}

}  // namespace

int inspect(const InspectOptions& options) {
  const Input input = read_input(options.file, options.encoding);
  const Subject subject{options.file, std::string(to_string(input.encoding)), input.bytes};
  const std::vector<Anatomy> anatomies = dissect_all(input.bytes, options);
  std::string text;
  if (options.json) {
    text = as_json(subject, anatomies);
  } else {
    for (std::size_t i = 0; i < anatomies.size(); ++i) {
      if (i > 0) text += "\nInside its payload:\n";
      text += (i == 0 ? options.file + ": " : "") + heading(anatomies[i], options);
      if (i == 0 && input.encoding != Encoding::raw) text += ", from " + subject.encoding + " text";
      text += "\n\n" + as_text(subject, anatomies[i], options.color);
    }
  }
  write_output("-", text);
  return anatomies.back().error ? refused : accepted;
}

}  // namespace gradtail::cli
