// SPDX-License-Identifier: Apache-2.0
// Messages between the workers. A trailer behind each payload says what it belongs to. Copy from
// this file: it holds all the use of gradtail that a program needs.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <filesystem>
#include <gradtail/gradtail.hpp>
#include <map>
#include <optional>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "connection.hpp"

namespace two_workers {

/// The command line.
struct Options {
  std::uint64_t epochs = 200;
  std::size_t in_flight = 10;
  std::uint64_t seed = 1;
  /// Numbers of the frames of worker 0 and of worker 1 that are damaged on their way.
  std::array<std::vector<std::uint64_t>, 2> damaged_frames = {};
  bool swap_ids = false;  ///< whether two answers of worker 1's get each other's ids
  bool verbose = false;
  std::filesystem::path data = IRIS_DATA;
};

/// What went over a connection, both ways.
struct Traffic {
  std::uint64_t sent = 0;              ///< messages
  std::uint64_t received = 0;          ///< messages, rejected ones too
  std::uint64_t bytes = 0;             ///< of frames, with their 4 bytes of length
  std::uint64_t trailers = 0;          ///< trailers written or opened
  std::uint64_t trailer_bytes = 0;     ///< of those
  std::size_t largest_trailer = 0;     ///< of those
  std::uint64_t rejected = 0;          ///< received messages that could not be opened
  std::uint64_t rejected_by_peer = 0;  ///< sent messages that the peer asked for again
};

/// The number in wrapped_message_type. 0 would mean "not given".
enum class MessageType : std::uint32_t {
  activations = 1,  ///< worker 0 to 1, with ids: the hidden layer's outputs, then the labels
  gradients = 2,    ///< worker 1 to 0, with the ids of the activations that it answers
  evaluation = 3,   ///< worker 0 to 1: as activations, but to be judged, not learned from
  report = 4,       ///< worker 1 to 0: loss, number of correct rows, the output layer's gradient
  resend = 5,       ///< either way: the number of a frame that arrived damaged
  done = 6,         ///< worker 0 to 1: nothing comes after this
};

/// The pair of send and recv functions that a message belongs to. -1 is absent and takes no room.
struct PassId {
  std::int64_t context_id = -1;
  std::int64_t message_id = -1;

  friend auto operator<=>(const PassId&, const PassId&) = default;  // NOLINT: it asks for nullptr
};

/// A message that has been opened, and the memory that it was received in.
class Message {
 public:
  /// `view` is what `open` made of these bytes.
  Message(std::vector<std::byte> bytes, const gradtail::MessageView& view)
      : bytes_(std::move(bytes)), view_(view) {}
  // The view points into bytes_. A moved vector keeps its memory, a copied one would not.
  Message(Message&&) = default;
  Message& operator=(Message&&) = default;
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

  [[nodiscard]] MessageType type() const {
    return static_cast<MessageType>(view_.metadata().wrapped_message_type);
  }
  [[nodiscard]] PassId pass() const {
    return {view_.metadata().context_id, view_.metadata().message_id};
  }
  [[nodiscard]] Bytes payload() const { return view_.payload(); }
  /// The payload in the receive buffer. Throws std::runtime_error if it isn't made of doubles.
  [[nodiscard]] std::span<const double> values() const {
    if (payload().size() % sizeof(double) != 0) throw problem("a payload is not made of doubles");
    // The payload begins where the buffer does, which is aligned (connection.hpp asserts it).
    return {reinterpret_cast<const double*>(payload().data()), payload().size() / sizeof(double)};
  }

  /// What is wrong, with the message's size and metadata, to be thrown.
  [[nodiscard]] std::runtime_error problem(const std::string& what) const {
    return std::runtime_error(
        text(what, ": ", payload().size(), " bytes with ", to_string(view_.metadata())));
  }

 private:
  std::vector<std::byte> bytes_;
  gradtail::MessageView view_;
};

/// Sends and receives messages. One that arrives damaged is dropped and requested again; neither
/// side of the training notices.
class Channel {
 public:
  /// A payload in pieces, which are sent from where they are.
  using Payload = std::vector<Bytes>;

  Channel(int descriptor, std::int32_t self, const Options& options)
      : self_(self),
        peer_(text("worker ", 1 - self)),
        options_(options),
        // Someone who pages through the output of --verbose holds up the worker that prints it.
        connection_(descriptor, peer_, std::chrono::seconds(options.verbose ? 600 : 3)) {}

  /// Sends a message. The payload must stay as it is until `forget_sent`, since the peer may ask
  /// for it again.
  void send(MessageType type, Payload payload = {}, const PassId& pass = {}) {
    transmit({{.context_id = pass.context_id,
               .message_id = pass.message_id,
               .from_worker_id = self_,
               .wrapped_message_type = static_cast<std::uint32_t>(type)},
              std::move(payload)});
  }

  /// Call it once the peer has shown, by its answers, that it has everything sent so far.
  void forget_sent() {
    sent_.clear();
    requests_.clear();
  }

  /// The next message. Throws std::runtime_error if the peer is gone, hangs or breaks the protocol.
  [[nodiscard]] Message receive() {
    if (std::optional<Message> message = receive_or_end()) return std::move(*message);
    throw std::runtime_error(peer_ + " is gone: it closed the connection before the end");
  }

  /// The same, or nothing once the peer has closed the connection.
  [[nodiscard]] std::optional<Message> receive_or_end() {
    // The receive handler. The view borrows from the bytes, so they travel together.
    while (std::optional<std::vector<std::byte>> bytes = connection_.receive()) {
      const auto message = gradtail::open(*bytes);
      if (!message) {
        reject(bytes->size(), message.error());
        continue;
      }
      rejected_in_a_row_ = 0;
      record("received", message->payload().size(), message->trailer().size(), message->metadata());
      ++traffic_.received;
      Message opened(std::move(*bytes), *message);
      // What a trailer says of its sender is a claim. The connection knows who is at its other end.
      if (message->metadata().from_worker_id != 1 - self_) {
        throw opened.problem(
            text("a message on the connection to ", peer_, " claims another sender"));
      }
      if (opened.type() != MessageType::resend) return opened;
      send_again(opened);
    }
    return std::nullopt;
  }

  [[nodiscard]] const Traffic& traffic() const { return traffic_; }

 private:
  // Sending again repairs a flipped bit. A peer whose messages are refused one after the other is
  // of another version, or no worker at all.
  static constexpr unsigned max_rejected_in_a_row = 8;

  struct Sent {
    gradtail::AutogradMetadata metadata;
    Payload payload;
  };

  // The send path. The trailer is made here, on the stack, and lives until the gather write is
  // done; the payload is never touched.
  void transmit(Sent message) {
    std::size_t payload_size = 0;
    for (const Bytes piece : message.payload) payload_size += piece.size();

    const auto trailer = gradtail::Trailer::make(message.metadata, payload_size);
    if (!trailer) throw std::runtime_error("can't send: " + to_string(trailer.error()));

    const std::vector<std::byte> fault = damaged(trailer->bytes());
    std::vector<Bytes> pieces = message.payload;
    pieces.push_back(fault.empty() ? trailer->bytes() : Bytes(fault));
    connection_.send(pieces);

    record("sent", payload_size, trailer->bytes().size(), message.metadata);
    sent_.emplace(traffic_.sent++, std::move(message));
  }

  // Nothing in a message that can't be opened can be believed, least of all its ids. What names it
  // is its place on the connection. Whatever the error says, one flipped bit can be the cause: in
  // the version it looks like a newer peer, in the magic like no trailer, and here one is always
  // due.
  void reject(std::size_t message_size, const gradtail::Error& error) {
    const std::uint64_t frame = traffic_.received++;
    const std::string refusal =
        text("frame ", frame, " from ", peer_, " refused: ", to_string(error));
    if (++rejected_in_a_row_ > max_rejected_in_a_row) {
      throw std::runtime_error(
          text(refusal, "; so were the ", max_rejected_in_a_row, " before it"));
    }
    ++traffic_.rejected;
    traffic_.bytes += Connection::frame_size(message_size);
    say(text("worker ", self_, ": ", refusal, "; dropped, and asked for again"));
    requests_.push_back(frame);
    send(MessageType::resend, {std::as_bytes(std::span(&requests_.back(), 1))});
  }

  void send_again(const Message& request) {
    std::uint64_t frame = 0;
    if (request.payload().size() != sizeof frame) {
      throw request.problem("a request to resend holds no frame number");
    }
    std::memcpy(&frame, request.payload().data(), sizeof frame);
    const auto found = sent_.find(frame);
    if (found == sent_.end()) {
      throw std::runtime_error(
          text(peer_, " asks again for frame ", frame, ", which it has, or which was never sent"));
    }
    ++traffic_.rejected_by_peer;
    transmit(found->second);
  }

  // The trailer with one bit flipped where --fault asks for it; empty otherwise.
  std::vector<std::byte> damaged(Bytes trailer) const {
    const auto& frames = options_.damaged_frames[static_cast<std::size_t>(self_)];
    if (std::ranges::count(frames, traffic_.sent) == 0) return {};
    std::vector<std::byte> bytes(trailer.begin(), trailer.end());
    const std::size_t bit = std::mt19937_64(options_.seed + traffic_.sent)() % (bytes.size() * 8);
    bytes[bytes.size() - 1 - bit / 8] ^= std::byte{1} << (bit % 8);
    return bytes;
  }

  void record(const char* verb, std::size_t payload_size, std::size_t trailer_size,
              const gradtail::AutogradMetadata& metadata) {
    traffic_.bytes += Connection::frame_size(payload_size + trailer_size);
    traffic_.largest_trailer = std::max(traffic_.largest_trailer, trailer_size);
    traffic_.trailer_bytes += trailer_size;
    ++traffic_.trailers;
    if (!options_.verbose) return;
    constexpr std::array names{"unknown", "activations", "gradients", "evaluation",
                               "report",  "resend",      "done"};
    const std::uint32_t type = metadata.wrapped_message_type;
    say(text("worker ", self_, " ", verb, " frame ",
             *verb == 's' ? traffic_.sent : traffic_.received, ", ",
             names[type < names.size() ? type : 0], ", ", payload_size, " + ", trailer_size,
             " bytes: ", to_string(metadata)));
  }

  std::int32_t self_;
  std::string peer_;
  const Options& options_;
  Connection connection_;
  Traffic traffic_;
  std::map<std::uint64_t, Sent> sent_;  // by frame number, while the peer may ask for it again
  std::deque<std::uint64_t> requests_;  // payloads of the resend requests among them
  unsigned rejected_in_a_row_ = 0;
};

}  // namespace two_workers
