// SPDX-License-Identifier: Apache-2.0
// What the exchanges over plain sockets share. On the stream a message is its size, 8 bytes as they
// are in memory, and then payload and trailer.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "exchange.hpp"
#include "gradtail/gradtail.hpp"

namespace stream {

/// The largest message that an end takes.
inline constexpr std::uint64_t most = exchange::most + gradtail::max_trailer_size;

/// A message to be sent: three pieces, none of them a copy of the payload. Must stay until sent.
class Outgoing {
 public:
  /// Request `number`, damaged as it has to be.
  explicit Outgoing(std::size_t number)
      : Outgoing(exchange::payload_of(number), exchange::request(number).metadata) {
    const exchange::Damage damage = exchange::request(number).damage;
    if (damage == exchange::Damage::none) return;
    if (damage == exchange::Damage::cut_front) pieces_[1] = pieces_[1].subspan(1);
    damaged_.assign(pieces_[2].begin(), pieces_[2].end());
    exchange::damage_trailer(damaged_, damage);
    pieces_[2] = damaged_;
    size_ = pieces_[1].size() + pieces_[2].size();
  }

  /// The answer to request `number`.
  Outgoing(std::size_t number, std::string_view text)
      : Outgoing(bytes_of(text), exchange::answer_metadata(number)) {}

  Outgoing(const Outgoing&) = delete;
  Outgoing& operator=(const Outgoing&) = delete;

  /// The size, the payload and the trailer.
  [[nodiscard]] std::span<const std::span<const std::byte>, 3> pieces() const { return pieces_; }

 private:
  Outgoing(exchange::Bytes payload, const gradtail::AutogradMetadata& metadata)
      : payload_(std::move(payload)) {
    const auto made = gradtail::Trailer::make(metadata, payload_.size());
    exchange::require(made.has_value(), "the metadata was refused");
    trailer_ = *made;
    size_ = payload_.size() + trailer_.bytes().size();
    pieces_ = {std::as_bytes(std::span(&size_, 1)), payload_, trailer_.bytes()};
  }

  static exchange::Bytes bytes_of(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
  }

  exchange::Bytes payload_;
  gradtail::Trailer trailer_;
  exchange::Bytes damaged_;
  std::uint64_t size_ = 0;
  std::array<std::span<const std::byte>, 3> pieces_;
};

/// Blocks to receive a message into. From request to request the first two end at other bytes of
/// the trailer, and the last is larger than what is left for it.
class Room {
 public:
  Room(std::uint64_t size, std::size_t number) {
    exchange::require(size <= most, "a message of " + std::to_string(size) + " bytes");
    const std::size_t behind = std::min<std::size_t>(size, number % 137);
    const std::size_t second = std::min<std::size_t>(behind, number / 137);
    const std::size_t sizes[] = {size - behind, second, behind - second + 100};
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      memory_[i] = std::make_unique_for_overwrite<std::byte[]>(sizes[i]);
      blocks_[i] = {memory_[i].get(), sizes[i]};
    }
  }

  [[nodiscard]] std::span<const std::span<std::byte>, 3> blocks() const { return blocks_; }

 private:
  std::array<std::unique_ptr<std::byte[]>, 3> memory_;
  std::array<std::span<std::byte>, 3> blocks_;
};

/// Server's side: opens request `number` as it was received, checks all of it, returns the answer.
template <class Segments>
std::string check_request(std::size_t number, const Segments& received, const Room& room) {
  gradtail::TrailerScratch scratch;
  const auto opened = gradtail::open(received, scratch);
  const gradtail::Error* error = opened ? nullptr : &opened.error();
  exchange::check_opened(number, opened ? &opened->metadata() : nullptr, error);
  if (!opened) return exchange::answer(error);
  exchange::PayloadCheck payload(number);
  auto block = room.blocks().begin();
  for (const std::span<const std::byte> piece : opened->payload()) {
    while (block->empty()) ++block;
    exchange::require(piece.data() == block++->data(), "the payload was copied");
    payload.add(piece);
  }
  payload.finish();
  return exchange::answer(nullptr);
}

/// Caller's side: checks the answer to request `number`.
template <class Segments>
void check_answer(std::size_t number, const Segments& received) {
  gradtail::TrailerScratch scratch;
  const auto opened = gradtail::open(received, scratch);
  exchange::require(opened && opened->metadata() == exchange::answer_metadata(number),
                    "the metadata of answer " + std::to_string(number) + " differs");
  std::string text;
  for (const std::span<const std::byte> piece : opened->payload()) {
    text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  }
  exchange::check_answer(number, text);
}

}  // namespace stream
