// SPDX-License-Identifier: Apache-2.0
// The job that every row does: metadata of four scalars behind a payload, and back, checked.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace bench {

/// What every row sends.
struct Scalars {
  std::int64_t context_id;
  std::int64_t message_id;
  std::int32_t from_worker_id;
  std::uint32_t wrapped_message_type;

  friend bool operator==(const Scalars&, const Scalars&) = default;
};

inline constexpr std::size_t usual_payload = 1024;

/// Rows go round this many messages, so that no value is a constant and no iteration waits for
/// the stores of the one before.
inline constexpr std::size_t ring_size = 16;

/// CPUs take a load for dependent on an earlier store at the same offset in another page. So that
/// chance doesn't decide which rows pay for that, what is loaded lies in the first half of pages
/// (`sent` from 0, rows from row_offset on), and what is stored and received in the second.
inline constexpr std::size_t page_size = 4096;
inline constexpr std::size_t row_offset = 512;

/// What the messages of the ring carry: random valid ids, workers and types.
alignas(page_size) extern std::array<Scalars, ring_size> sent;

/// Memory for the messages of one row: each a payload of usual_payload with room behind it.
class Ring {
 public:
  /// `offset` is that of each message from a cache line's start, less than 64.
  explicit Ring(std::size_t offset = 0);

  /// The room behind a payload.
  [[nodiscard]] std::span<std::byte> room(std::size_t i) const {
    return {starts_[i] + usual_payload, room_size};
  }
  /// Says how large a message has become.
  void finish(std::size_t i, std::size_t trailer_size) {
    messages_[i] = {starts_[i], usual_payload + trailer_size};
  }
  [[nodiscard]] std::size_t trailer_size() const { return messages_[0].size() - usual_payload; }
  [[nodiscard]] std::span<std::byte> writable(std::size_t i) const {
    return {starts_[i], messages_[i].size()};
  }
  /// A message as it is received.
  [[nodiscard]] std::span<const std::byte> message(std::size_t i) const { return messages_[i]; }

 private:
  static constexpr std::size_t room_size = 4160;
  static constexpr std::size_t trailer_offset = page_size / 2;
  // In the pages, one trailer behind the other.
  static constexpr std::size_t stride = 2 * page_size + page_size / 2 / ring_size;

  std::vector<std::byte> memory_;
  std::array<std::byte*, ring_size> starts_;
  std::array<std::span<const std::byte>, ring_size> messages_;
};

template <class T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <class T>
void store(std::byte* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

/// Makes the compiler have these values in registers: what a row reads, it has to read.
inline void consume(const Scalars& scalars, std::span<const std::byte> payload) {
  asm volatile("" ::"r"(scalars.context_id), "r"(scalars.message_id), "r"(scalars.from_worker_id),
               "r"(scalars.wrapped_message_type), "r"(payload.data()), "r"(payload.size()));
}

}  // namespace bench
