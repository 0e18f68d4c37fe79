// SPDX-License-Identifier: Apache-2.0
// Every way to read a message, for tests of what all of them promise.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "gradtail/segments.hpp"
#include "gradtail/strip.hpp"
#include "pinned_bytes.hpp"

namespace readers {

using Bytes = std::span<std::byte>;
using Scratch = gradtail::TrailerScratch;
using Opened = gradtail::Result<gradtail::TrailerView>;

template <class View>
Opened trailer_of(const gradtail::Result<View>& message) {
  if (!message) return message.error();
  return gradtail::TrailerView(*message);
}

/// The message in two pieces, of which the second has at most this many bytes.
template <std::size_t tail>
auto cut(Bytes message) {
  const std::size_t at = message.size() - std::min(tail, message.size());
  return std::array{message.first(at), message.subspan(at)};
}

inline Opened open(Bytes message, Scratch& /*scratch*/, gradtail::Limits limits) {
  return trailer_of(gradtail::open(message, limits));
}

template <std::size_t tail>
Opened open_cut(Bytes message, Scratch& scratch, gradtail::Limits limits) {
  const auto pieces = cut<tail>(message);
  return trailer_of(gradtail::open(pieces, scratch, limits));
}

inline Opened open_copy(Bytes message, Scratch& scratch, gradtail::Limits limits) {
  return trailer_of(gradtail::open_copy(message, scratch, limits));
}

inline Opened open_copy_cut(Bytes message, Scratch& scratch, gradtail::Limits limits) {
  const auto pieces = cut<40>(message);
  return trailer_of(gradtail::open_copy(pieces, scratch, limits));
}

inline Opened strip(Bytes message, Scratch& scratch, gradtail::Limits limits) {
  guarded::PinnedBytes buffer(message, message.size());
  return gradtail::strip(buffer, scratch, limits);
}

struct Reader {
  const char* name;
  Opened (*read)(Bytes message, Scratch& scratch, gradtail::Limits limits);
  bool has_scratch = true;
  bool copies = false;  ///< what it gives was copied before it was checked
};

inline constexpr Reader all[] = {
    {"open", open, false},
    {"open, the trailer in the second piece", open_cut<1000>},
    {"open, cut in the table", open_cut<40>},
    {"open, cut before the footer", open_cut<16>},
    {"open, cut in the footer", open_cut<9>},
    {"open_copy", open_copy, true, true},
    {"open_copy, cut in the table", open_copy_cut, true, true},
    {"strip", strip},
};

}  // namespace readers
