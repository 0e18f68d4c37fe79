// SPDX-License-Identifier: Apache-2.0
// Messages from files and standard input.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace gradtail::cli {

/// How the bytes of a message are written in a file.
enum class Encoding { automatic, raw, hex, base64 };

struct Input {
  std::vector<std::byte> bytes;
  Encoding encoding;  ///< never automatic
};

/// Reads a file, or standard input for "-". Automatic takes bytes that are all text for hex or
/// base64 if they can be that, and else as they are. Throws Failure.
[[nodiscard]] Input read_input(const std::string& path, Encoding encoding);

/// The name of an encoding: "auto", "raw", "hex" or "base64", and back.
[[nodiscard]] std::string_view to_string(Encoding encoding);
[[nodiscard]] Encoding encoding_of(std::string_view name);

/// Writes a file, or standard output for "-". Throws Failure.
void write_output(const std::string& path, std::string_view bytes);

}  // namespace gradtail::cli
