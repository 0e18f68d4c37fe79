// SPDX-License-Identifier: Apache-2.0
// What the two processes of an integration test say to each other: messages that both know
// beforehand, so that each end can check what the transport and gradtail made of them.
//
// The caller sends request 0, 1, 2, ... on one connection and the server answers each before the
// next. Some requests are damaged; the answer's payload says what `open` made of the request, so
// the connection has to live on.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "gradtail/error.hpp"
#include "gradtail/metadata.hpp"
#include "gradtail/result.hpp"
#include "gradtail/segments.hpp"

namespace exchange {

using Bytes = std::vector<std::byte>;

/// Requests in one run.
inline constexpr std::size_t count = 1200;

/// The largest payload, in bytes.
inline constexpr std::size_t most = std::size_t{16} << 20;

/// What is done to a request between gradtail and the transport.
enum class Damage {
  none,
  flipped,    ///< one bit of the table: corrupt, checksum
  cut_front,  ///< the first byte of the message is missing: corrupt, checksum
  cut_back,   ///< the last byte of the message is missing: absent
  newer,      ///< another version: unsupported
  missing     ///< a peer that doesn't know of trailers: absent
};

/// One request.
struct Request {
  std::size_t payload_size;
  gradtail::AutogradMetadata metadata;  ///< its device map is static
  Damage damage;
};

/// The request of this number: the same in both processes.
[[nodiscard]] Request request(std::size_t number);

/// Writes the payload of request `number`, random or a pattern. `payload` has its size.
void fill(std::span<std::byte> payload, std::size_t number);

/// A payload with room for any trailer.
[[nodiscard]] Bytes payload_of(std::size_t number);

/// The bytes of a message, which a transport sends as they are: in one piece, or in two.
struct Raw {
  Bytes bytes;
  std::size_t payload_size;

  [[nodiscard]] std::span<const std::byte> payload() const {
    return std::span(bytes).first(payload_size);
  }
  [[nodiscard]] std::span<const std::byte> trailer() const {
    return std::span(bytes).subspan(payload_size);
  }
};

/// What is sent for request `number`, which is damaged.
[[nodiscard]] Raw damaged(std::size_t number);

/// The metadata of the answer: a backward message of the same pass and pair.
[[nodiscard]] gradtail::AutogradMetadata answer_metadata(std::size_t number);

/// Throws std::runtime_error with this text unless it holds.
void require(bool holds, const std::string& what);

/// The pieces of a payload, in order, that aren't empty.
using Pieces = std::vector<std::span<const std::byte>>;
[[nodiscard]] Pieces pieces_of(const auto& bytes_or_segments) {
  Pieces pieces;
  const auto add = [&](std::span<const std::byte> piece) {
    if (!piece.empty()) pieces.push_back(piece);
  };
  if constexpr (requires { add(bytes_or_segments); }) {
    add(bytes_or_segments);
  } else {
    for (const auto& segment : bytes_or_segments) add(gradtail::detail::segment_bytes(segment));
  }
  return pieces;
}

/// Server's side: throws unless the pieces together are the payload of request `number`.
void check_payload(std::size_t number, const Pieces& payload);

/// Throws unless each piece is at the start of the next of the blocks: nothing was copied.
void check_in_place(const Pieces& payload, const Pieces& blocks);

/// Server's side: throws unless this is what request `number` deserves, by its damage: good
/// metadata that is equal, or an error. Returns the answer's payload: "ok", or the error as
/// to_string has it.
std::string answer(std::size_t number, const gradtail::AutogradMetadata* metadata,
                   const gradtail::Error* error);

/// The same for what `open` or `strip` returned.
template <class View>
std::string answer(std::size_t number, const gradtail::Result<View>& opened) {
  if (!opened) return answer(number, nullptr, &opened.error());
  return answer(number, &opened->metadata(), nullptr);
}

/// The same, and checks the payload, which was received into these blocks.
template <class View>
std::string answer(std::size_t number, const gradtail::Result<View>& opened, const auto& blocks) {
  if (opened) {
    check_payload(number, pieces_of(opened->payload()));
    check_in_place(pieces_of(opened->payload()), pieces_of(blocks));
  }
  return answer(number, opened);
}

/// Caller's side: throws unless this is the answer to request `number` in metadata and payload.
void check_answer(std::size_t number, const gradtail::AutogradMetadata& metadata,
                  const Pieces& payload);

/// The same for what `open` returned.
template <class View>
void check_answer(std::size_t number, const gradtail::Result<View>& opened) {
  require(opened.has_value(), "answer " + std::to_string(number) + " has no good trailer");
  check_answer(number, opened->metadata(), pieces_of(opened->payload()));
}

}  // namespace exchange
