// SPDX-License-Identifier: Apache-2.0
// What a reader must answer, from FlatBuffers' own Verifier and accessors: FORMAT.md, section 6.
//
// The oracle shares nothing with the library but the table of fields. Where FORMAT.md is worded
// differently from FlatBuffers, the answers are the same: Verifier refuses an item as long as the
// whole buffer, but none can be that long, and positions that wrap in size_t are outside of any
// buffer this small.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "gradtail/error.hpp"
#include "gradtail/metadata.hpp"
#include "gradtail/open.hpp"
#include "gradtail/result.hpp"

namespace oracle {

struct Answer {
  std::optional<gradtail::Error> error;  ///< nothing: the message is accepted
  std::size_t payload_size = 0;
  gradtail::AutogradMetadata metadata;  ///< its device map is in the message
};

/// The answer for a message, with a reader's limit.
[[nodiscard]] Answer open(std::span<const std::byte> message,
                          std::size_t limit = gradtail::Limits{}.trailer_size);

/// Whether the library gives that answer, with views of the right bytes.
[[nodiscard]] bool agrees(const gradtail::Result<gradtail::MessageView>& opened,
                          const Answer& answer, std::span<const std::byte> message);

/// What is wrong with a device map, and with which pair; Field::none if nothing is.
struct BadPair {
  gradtail::Field field = gradtail::Field::none;
  std::size_t pair = 0;
};
[[nodiscard]] BadPair bad_pair(std::span<const gradtail::DevicePair> map);

}  // namespace oracle
