// SPDX-License-Identifier: Apache-2.0
#include "exchange.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <stdexcept>
#include <string_view>

#include "gradtail/append.hpp"
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

void check_text(std::size_t number, const std::string& answer) {
  require(answer.starts_with(deserved(request(number).damage)),
          "request " + std::to_string(number) + " got the answer '" + answer + "'");
}

}  // namespace

Request request(std::size_t number) {
  Request message{size_of(number), metadata_of(number), damage_of(number)};
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

Raw damaged(std::size_t number) {
  const Request what = request(number);
  Raw raw{payload_of(number), what.payload_size};
  const auto trailer_size = gradtail::append(raw.bytes, what.metadata);
  require(trailer_size.has_value(), "the metadata was refused");
  switch (what.damage) {
    case Damage::flipped:
      raw.bytes[raw.payload_size + *trailer_size / 2] ^= std::byte{0x10};
      break;
    case Damage::cut_front:
      raw.bytes.erase(raw.bytes.begin());
      --raw.payload_size;
      break;
    case Damage::cut_back:
      raw.bytes.pop_back();
      break;
    case Damage::newer:
      raw.bytes.end()[-12] = std::byte{2};
      break;
    case Damage::missing:
      raw.bytes.resize(raw.payload_size);
      break;
    case Damage::none:
      break;
  }
  return raw;
}

gradtail::AutogradMetadata answer_metadata(std::size_t number) {
  return {.context_id = request(number).metadata.context_id,
          .message_id = static_cast<std::int64_t>(number),
          .retain_graph = true};
}

void require(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

void check_payload(std::size_t number, const Pieces& payload) {
  Bytes whole;
  for (const auto piece : payload) whole.insert(whole.end(), piece.begin(), piece.end());
  require(whole == payload_of(number), "the payload of request " + std::to_string(number) +
                                           " differs, of " + std::to_string(whole.size()) +
                                           " bytes");
}

void check_in_place(const Pieces& payload, const Pieces& blocks) {
  require(payload.size() <= blocks.size() &&
              std::ranges::equal(payload, std::span(blocks).first(payload.size()), {},
                                 &Pieces::value_type::data, &Pieces::value_type::data),
          "the payload was copied");
}

std::string answer(std::size_t number, const gradtail::AutogradMetadata* metadata,
                   const gradtail::Error* error) {
  std::string text = error ? to_string(*error) : "ok";
  check_text(number, text);
  require(!metadata || *metadata == request(number).metadata,
          "the metadata of request " + std::to_string(number) +
              " differs: " + (metadata ? to_string(*metadata) : ""));
  return text;
}

void check_answer(std::size_t number, const gradtail::AutogradMetadata& metadata,
                  const Pieces& payload) {
  require(metadata == answer_metadata(number),
          "the metadata of answer " + std::to_string(number) + " differs: " + to_string(metadata));
  std::string text;
  for (const auto piece : payload) {
    text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  }
  check_text(number, text);
}

}  // namespace exchange
