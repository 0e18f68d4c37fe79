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
#include <string_view>
#include <vector>

#include "gradtail/error.hpp"
#include "gradtail/metadata.hpp"
#include "gradtail/result.hpp"

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

/// One request, or its answer.
struct Message {
  std::size_t payload_size;
  gradtail::AutogradMetadata metadata;  ///< its device map is static
  Damage damage;
};

/// The request of this number: the same in both processes.
[[nodiscard]] Message request(std::size_t number);

/// Writes the payload of request `number`, random or a pattern. `payload` has its size.
void fill(std::span<std::byte> payload, std::size_t number);

/// A payload with room for any trailer.
[[nodiscard]] Bytes payload_of(std::size_t number);

/// Compares a payload that comes in pieces with that of request `number`.
class PayloadCheck {
 public:
  explicit PayloadCheck(std::size_t number);
  /// Takes the next piece.
  void add(std::span<const std::byte> piece);
  /// Throws unless the pieces were the payload, no byte more or less.
  void finish() const;

 private:
  std::size_t number_;
  Bytes expected_;
  std::size_t checked_ = 0;
};

/// Damages a message in one piece: payload and trailer. `missing` takes the trailer off.
void damage(Bytes& message, Damage damage, std::size_t trailer_size);

/// Damages the trailer alone, for transports that send it as a piece of its own. `cut_front` has to
/// be done to the payload, which has 1 byte or more then.
void damage_trailer(Bytes& trailer, Damage damage);

/// The answer's metadata: a backward message of the same pass and pair.
[[nodiscard]] gradtail::AutogradMetadata answer_metadata(std::size_t number);

/// The answer's payload: "ok", or what is wrong with the request, as to_string has it.
[[nodiscard]] std::string answer(const gradtail::Error* error);

/// Whether the answer is the one that request `number` deserves: "ok" or the error's code.
void check_answer(std::size_t number, std::string_view answer);

/// Server's side: checks what `open` said of request `number` against its damage, and for a good
/// one that the metadata is equal. Throws where it isn't. The payload is checked by PayloadCheck.
void check_opened(std::size_t number, const gradtail::AutogradMetadata* metadata,
                  const gradtail::Error* error);

/// Throws std::runtime_error with this text unless it holds.
void require(bool holds, const std::string& what);

/// Server's side: the same for what `open` returned, and the payload, in one piece or several. Each
/// has to lie at the start of the next of the `blocks` that isn't empty: nothing was copied.
/// Returns the answer.
template <class View, class Blocks>
std::string check_request(std::size_t number, const gradtail::Result<View>& opened,
                          const Blocks& blocks) {
  const gradtail::Error* error = opened ? nullptr : &opened.error();
  check_opened(number, opened ? &opened->metadata() : nullptr, error);
  if (!opened) return answer(error);
  PayloadCheck payload(number);
  auto block = blocks.begin();
  const auto check = [&](std::span<const std::byte> piece) {
    if (piece.empty()) return;
    while (block->empty()) ++block;
    require(piece.data() == static_cast<const void*>(block->data()), "the payload was copied");
    ++block;
    payload.add(piece);
  };
  if constexpr (requires { check(opened->payload()); }) {
    check(opened->payload());
  } else {
    for (const std::span<const std::byte> piece : opened->payload()) check(piece);
  }
  payload.finish();
  return answer(nullptr);
}

/// Caller's side: checks what `open` made of the answer to request `number`.
template <class View>
void check_answer(std::size_t number, const gradtail::Result<View>& opened) {
  require(opened && opened->metadata() == answer_metadata(number),
          "the metadata of answer " + std::to_string(number) + " differs");
  std::string text;
  for (const std::span<const std::byte> piece : opened->payload()) {
    text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  }
  check_answer(number, text);
}

}  // namespace exchange
