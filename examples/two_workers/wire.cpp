// SPDX-License-Identifier: Apache-2.0
// Framing, the faults that can be put in, and the dump of what was received.
#include "wire.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <fstream>
#include <gradtail/gradtail.hpp>
#include <random>
#include <stdexcept>
#include <utility>

namespace two_workers {

namespace {

using Bytes = Connection::Bytes;

static_assert(std::endian::native == std::endian::little, "numbers are sent as they are in memory");
static_assert(__STDCPP_DEFAULT_NEW_ALIGNMENT__ >= alignof(double), "std::vector aligns a message");

// No message of this program comes near it. Without a limit, four hostile bytes could make this
// process allocate 4 GiB.
constexpr std::uint32_t max_message_size = 1 << 20;

using Length = std::array<std::byte, sizeof(std::uint32_t)>;

std::vector<std::byte> joined(std::span<const Bytes> payload, Bytes trailer) {
  std::vector<std::byte> message;
  for (const Bytes piece : payload) message.insert(message.end(), piece.begin(), piece.end());
  message.insert(message.end(), trailer.begin(), trailer.end());
  return message;
}

gradtail::MessageView opened(Bytes message) {
  const gradtail::Result<gradtail::MessageView> view = gradtail::open(message);
  if (!view) throw std::logic_error("swap: " + gradtail::to_string(view.error()));
  return *view;
}

// Valid metadata on another payload, as a sender with a bug would make it.
gradtail::Trailer trailer_with_ids_of(const gradtail::MessageView& message,
                                      const gradtail::AutogradMetadata& other) {
  gradtail::AutogradMetadata metadata = message.metadata();
  metadata.context_id = other.context_id;
  metadata.message_id = other.message_id;
  const auto trailer = gradtail::Trailer::make(metadata, message.payload().size());
  if (!trailer) throw std::logic_error("swap: " + gradtail::to_string(trailer.error()));
  return *trailer;
}

}  // namespace

std::string worker_name(std::int32_t worker) { return "worker " + std::to_string(worker); }

Connection::Connection(Socket socket, std::int32_t self, std::int32_t peer, WireOptions options)
    : socket_(std::move(socket)), self_(self), peer_(peer), options_(std::move(options)) {}

std::uint64_t Connection::send(std::span<const Bytes> payload, Bytes trailer) {
  const std::uint64_t number = frames_sent_++;
  if (!put_fault(number, payload, trailer)) {
    std::vector<Bytes> pieces(payload.begin(), payload.end());
    pieces.push_back(trailer);
    write(pieces);
  }
  return number;
}

std::optional<Connection::Frame> Connection::receive() {
  Length bytes;
  if (!fill(bytes, true)) return std::nullopt;
  const auto size = std::bit_cast<std::uint32_t>(bytes);
  if (size > max_message_size) {
    throw std::runtime_error(worker_name(peer_) + " announced a message of " +
                             std::to_string(size) + " bytes; at most " +
                             std::to_string(max_message_size) + " are accepted");
  }
  Frame frame{frames_received_, std::vector<std::byte>(size)};
  (void)fill(frame.message, false);
  ++frames_received_;
  dump(frame);
  return frame;
}

// The gather write: nothing is copied to be sent.
void Connection::write(std::span<const Bytes> pieces) {
  std::size_t size = 0;
  for (const Bytes piece : pieces) size += piece.size();
  if (size > max_message_size) throw std::length_error("a message is too large to be sent");
  auto length = std::bit_cast<Length>(static_cast<std::uint32_t>(size));

  std::vector<iovec> vector{{length.data(), length.size()}};
  // iovec is for reading and writing; sendmsg only reads.
  for (const Bytes piece : pieces) {
    vector.push_back({const_cast<std::byte*>(piece.data()), piece.size()});
  }
  switch (socket_.send(vector, deadline())) {
    case Transfer::complete:
      return;
    case Transfer::peer_closed:
      throw std::runtime_error(worker_name(peer_) + " is gone: it closed the connection");
    case Transfer::timed_out:
      throw std::runtime_error(worker_name(peer_) + " stopped reading");
  }
}

// Sends the frame with a fault, or says that it is to have none.
bool Connection::put_fault(std::uint64_t number, std::span<const Bytes> payload, Bytes trailer) {
  if (std::ranges::count(options_.faults.damaged_frames, number) != 0) {
    std::mt19937_64 random(options_.faults.seed + number);
    std::vector<std::byte> message = joined(payload, trailer);
    const auto bit = static_cast<std::size_t>(random() % (trailer.size() * 8));
    message[message.size() - 1 - bit / 8] ^= std::byte{1} << (bit % 8);
    write(std::array{Bytes(message)});
    return true;
  }
  if (!options_.faults.swap_ids) return false;
  std::vector<std::byte> message = joined(payload, trailer);
  if (opened(message).metadata().context_id < 0) return false;
  swap_ids(std::move(message));
  return true;
}

// Holds the first message with ids back until there is a second one to exchange them with.
void Connection::swap_ids(std::vector<std::byte> message) {
  if (held_back_.empty()) {
    held_back_ = std::move(message);
    return;
  }
  const gradtail::MessageView first = opened(held_back_);
  const gradtail::MessageView second = opened(message);
  const gradtail::Trailer first_trailer = trailer_with_ids_of(first, second.metadata());
  const gradtail::Trailer second_trailer = trailer_with_ids_of(second, first.metadata());
  write(std::array{first.payload(), first_trailer.bytes()});
  write(std::array{second.payload(), second_trailer.bytes()});
  options_.faults.swap_ids = false;
}

// False if the peer closed the connection before the first byte, where it may end.
bool Connection::fill(std::span<std::byte> room, bool may_end) {
  std::size_t received = 0;
  switch (socket_.receive(room, deadline(), received)) {
    case Transfer::complete:
      return true;
    case Transfer::timed_out:
      throw std::runtime_error(worker_name(peer_) + " sent nothing for " +
                               std::to_string(options_.patience.count()) +
                               " s: it hangs, or has been stopped");
    case Transfer::peer_closed:
      break;
  }
  if (may_end && received == 0) return false;
  throw std::runtime_error(worker_name(peer_) +
                           " is gone: it closed the connection in the middle of frame " +
                           std::to_string(frames_received_));
}

void Connection::dump(const Frame& frame) const {
  if (options_.dump_directory.empty()) return;
  std::array<char, 64> name{};
  std::snprintf(name.data(), name.size(), "worker%d-%06llu.bin", self_,
                static_cast<unsigned long long>(frame.number));
  const std::filesystem::path file = options_.dump_directory / name.data();
  std::ofstream stream(file, std::ios::binary);
  stream.write(reinterpret_cast<const char*>(frame.message.data()),
               static_cast<std::streamsize>(frame.message.size()));
  stream.close();
  if (!stream) throw std::runtime_error("can't write " + file.string());
}

Deadline Connection::deadline() const {
  return std::chrono::steady_clock::now() + options_.patience;
}

}  // namespace two_workers
