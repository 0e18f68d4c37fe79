// SPDX-License-Identifier: Apache-2.0
#include "exchange.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <stdexcept>

#include "gradtail/wire.hpp"

namespace exchange {
namespace {

constexpr gradtail::DevicePair pairs[] = {
    {{0, -1}, {1, 0}}, {{1, 0}, {1, 1}}, {{1, 1}, {1, 2}}, {{1, 7}, {20, 127}}};

/// Empty and tiny ones, all sizes around the powers of two, and a few of the largest.
std::size_t size_of(std::size_t number) {
  if (number < 130) return number;
  if (number % 150 == 0) return most - number % 7;
  const std::size_t power = std::size_t{1} << (number % 17);
  return power + number % 5 - std::min(power, number % 3);
}

Damage damage_of(std::size_t number) {
  if (number % 4 != 3) return Damage::none;
  return static_cast<Damage>(1 + number / 4 % 5);
}

gradtail::AutogradMetadata metadata_of(std::size_t number) {
  const auto id = static_cast<std::int64_t>(number);
  gradtail::AutogradMetadata metadata{.context_id = (std::int64_t{1} << 48) + id / 8};
  if (number % 9 == 0) return metadata;
  metadata.message_id = (std::int64_t{1} << 48) + id;
  metadata.from_worker_id = 1;
  metadata.wrapped_message_type = static_cast<std::uint32_t>(0x100 + number % 5);
  metadata.device_map = std::span(pairs).first(number % 5);
  if (number % 11 == 0) metadata.rref_local_id = id;
  return metadata;
}

/// The code as to_string begins with it.
std::string_view deserved(Damage damage) {
  switch (damage) {
    case Damage::none:
      return "ok";
    case Damage::flipped:
    case Damage::cut_front:
      return "corrupt";
    case Damage::newer:
      return "unsupported";
    case Damage::cut_back:
    case Damage::missing:
      return "absent";
  }
  return "";
}

}  // namespace

Message request(std::size_t number) {
  Message message{size_of(number), metadata_of(number), damage_of(number)};
  if (message.damage == Damage::cut_front && message.payload_size == 0) message.payload_size = 1;
  // A pattern that ends in the magic would pass for a trailer, of another version.
  if (message.damage == Damage::missing && message.payload_size % 16 == 4) ++message.payload_size;
  return message;
}

void fill(std::span<std::byte> payload, std::size_t number) {
  const std::array<std::byte, 16> pattern = {std::byte{0x47}, std::byte{0x54}, std::byte{0x4C},
                                             std::byte{0xA7}, static_cast<std::byte>(number)};
  std::mt19937_64 random(number);
  for (std::size_t at = 0; at < payload.size(); at += 8) {
    std::uint64_t word = random();
    if (number % 2 != 0) std::memcpy(&word, pattern.data() + at % 16, 8);
    std::memcpy(payload.data() + at, &word, std::min<std::size_t>(8, payload.size() - at));
  }
}

Bytes payload_of(std::size_t number) {
  Bytes payload;
  payload.reserve(request(number).payload_size + gradtail::max_trailer_size);
  payload.resize(request(number).payload_size);
  fill(payload, number);
  return payload;
}

PayloadCheck::PayloadCheck(std::size_t number) : number_(number), expected_(payload_of(number)) {}

void PayloadCheck::add(std::span<const std::byte> piece) {
  require(piece.size() <= expected_.size() - checked_ &&
              std::ranges::equal(piece, std::span(expected_).subspan(checked_, piece.size())),
          "the payload of request " + std::to_string(number_) + " differs in the piece at byte " +
              std::to_string(checked_));
  checked_ += piece.size();
}

void PayloadCheck::finish() const {
  require(checked_ == expected_.size(), "the payload of request " + std::to_string(number_) +
                                            " ends after " + std::to_string(checked_) + " bytes");
}

void damage(Bytes& message, Damage damage, std::size_t trailer_size) {
  if (damage == Damage::cut_front) {
    message.erase(message.begin());
    return;
  }
  const auto payload_size = static_cast<std::ptrdiff_t>(message.size() - trailer_size);
  Bytes trailer(message.begin() + payload_size, message.end());
  damage_trailer(trailer, damage);
  message.resize(static_cast<std::size_t>(payload_size));
  message.insert(message.end(), trailer.begin(), trailer.end());
}

void damage_trailer(Bytes& trailer, Damage damage) {
  switch (damage) {
    case Damage::flipped:
      trailer[trailer.size() / 2] ^= std::byte{0x10};
      break;
    case Damage::cut_back:
      trailer.pop_back();
      break;
    case Damage::newer:
      trailer[trailer.size() - 12] = std::byte{2};
      break;
    case Damage::missing:
      trailer.clear();
      break;
    case Damage::cut_front:
    case Damage::none:
      break;
  }
}

gradtail::AutogradMetadata answer_metadata(std::size_t number) {
  return {.context_id = request(number).metadata.context_id,
          .message_id = static_cast<std::int64_t>(number),
          .retain_graph = true};
}

std::string answer(const gradtail::Error* error) { return error ? to_string(*error) : "ok"; }

void check_answer(std::size_t number, std::string_view answer) {
  require(answer.starts_with(deserved(request(number).damage)),
          "request " + std::to_string(number) + " got the answer '" + std::string(answer) + "'");
}

void check_opened(std::size_t number, const gradtail::AutogradMetadata* metadata,
                  const gradtail::Error* error) {
  check_answer(number, answer(error));
  require(!metadata || *metadata == request(number).metadata,
          "the metadata of request " + std::to_string(number) +
              " differs: " + (metadata ? to_string(*metadata) : ""));
}

void require(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

}  // namespace exchange
