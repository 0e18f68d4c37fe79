// SPDX-License-Identifier: Apache-2.0
// Bytes from text: hex dumps and base64, as one copies them out of a log.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace gradtail::cli {

/// The bytes of hex text: digits in groups of any even size, with or without 0x, \x, commas,
/// colons, braces and comments behind a bar; or the output of xxd, hexdump -C, od -tx1 or
/// Wireshark, whose offsets are checked. Throws Failure with the number of the line that isn't of
/// that form.
[[nodiscard]] std::vector<std::byte> from_hex(std::string_view text);

/// Whether text can only be meant as a dump with offsets.
[[nodiscard]] bool is_dump(std::string_view text);

/// The bytes of base64 text, of either alphabet, with or without padding and line breaks. Throws
/// Failure if it isn't.
[[nodiscard]] std::vector<std::byte> from_base64(std::string_view text);

}  // namespace gradtail::cli
