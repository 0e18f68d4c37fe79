// SPDX-License-Identifier: Apache-2.0
// Guesses at what happened to a message that is refused, each tried out with the library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gradtail/error.hpp"
#include "gradtail/wire.hpp"

namespace gradtail::cli {

/// Sentences, the likeliest first; none if nothing is known. They are guesses: no receiver should
/// act on them.
[[nodiscard]] std::vector<std::string> hints_for(const Error& error,
                                                 std::span<const std::byte> bytes,
                                                 std::optional<std::uint64_t> payload_size,
                                                 Limits limits);

}  // namespace gradtail::cli
