// SPDX-License-Identifier: Apache-2.0
// A message taken apart: every byte with what it is for, the verdict, and what may have happened.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "gradtail/error.hpp"
#include "gradtail/metadata.hpp"
#include "gradtail/wire.hpp"

namespace gradtail::cli {

/// What bytes belong to.
enum class Kind { payload, table, field, footer };

struct Part {
  Kind kind;
  std::size_t offset;  ///< in the message
  std::size_t size;
  std::string name;
  std::string meaning;
};

struct Anatomy {
  std::size_t size;                       ///< bytes of the message, or of a detached trailer
  std::optional<std::size_t> trailer_at;  ///< where the trailer begins, if the footer can be right
  std::vector<Part> parts;                ///< by offset, every byte in one or more
  std::optional<Error> error;             ///< none if the message is accepted
  std::vector<std::string> hints;         ///< what may have happened to a message that is refused
  AutogradMetadata metadata;              ///< of one that is accepted; borrows from its bytes
};

/// Takes a message apart; with a payload size, a detached trailer. The verdict is the library's.
[[nodiscard]] Anatomy dissect(std::span<const std::byte> bytes,
                              std::optional<std::uint64_t> payload_size, Limits limits);

/// What a receiver should do about an error.
[[nodiscard]] std::string advice(const Error& error);

}  // namespace gradtail::cli
