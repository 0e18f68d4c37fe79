// SPDX-License-Identifier: Apache-2.0
// Messages between the workers: whose they are stands in a trailer behind the payload. This pair of
// files holds all the use of gradtail that a program needs.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <gradtail/gradtail.hpp>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire.hpp"

namespace two_workers {

/// The number that goes into wrapped_message_type. 0 would mean "not given".
enum class MessageType : std::uint32_t {
  activations = 1,  ///< worker 0 to 1, with ids: the hidden layer's outputs, then the labels
  gradients = 2,    ///< worker 1 to 0, with the ids of the activations that it answers
  evaluation = 3,   ///< worker 0 to 1: as activations, but to be judged, not learned from
  report = 4,       ///< worker 1 to 0: loss, number of correct rows, the output layer's gradient
  resend = 5,       ///< either way: the number of a frame that arrived damaged
  done = 6,         ///< worker 0 to 1: nothing comes after this
};

/// The enumerator's name; "unknown" for a number that a peer made up.
[[nodiscard]] std::string_view to_string(MessageType type);

/// The pair of send and receive functions that a message belongs to.
struct PassId {
  std::int64_t context_id;
  std::int64_t message_id;

  friend auto operator<=>(const PassId&, const PassId&) = default;  // NOLINT: it asks for nullptr
};

/// A message that has been opened, and the memory where it was received.
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
  /// The payload in the receive buffer. Throws std::runtime_error if it isn't made of doubles.
  [[nodiscard]] std::span<const double> values() const;
  /// The payload of a resend request. Throws std::runtime_error if it has another size.
  [[nodiscard]] std::uint64_t frame_number() const;
  /// Size and metadata, for errors.
  [[nodiscard]] std::string describe() const;

 private:
  std::vector<std::byte> bytes_;
  gradtail::MessageView view_;
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

/// Sends and receives messages. One that arrives damaged is dropped and asked for again; neither
/// side of the training notices.
class Channel {
 public:
  /// A payload in pieces, which are sent from where they lie.
  using Payload = std::vector<std::span<const std::byte>>;

  Channel(Connection connection, bool verbose);

  /// Sends a message of a pass. The payload must stay as it is until `forget_sent`, since the peer
  /// may ask for it again.
  void send(MessageType type, const PassId& pass, Payload payload);
  /// Sends a message that belongs to no pass. The same goes for its payload.
  void send(MessageType type, Payload payload = {});

  /// To be called once the peer has shown, by its answers, that it has all that was sent so far.
  void forget_sent();

  /// The next message. Throws std::runtime_error if the peer is gone, hangs or breaks the protocol.
  [[nodiscard]] Message receive();
  /// The same, or nothing once the peer has closed the connection.
  [[nodiscard]] std::optional<Message> receive_or_end();

  [[nodiscard]] const Traffic& traffic() const { return traffic_; }

 private:
  struct Sent {
    gradtail::AutogradMetadata metadata;
    Payload payload;
  };

  void transmit(Sent message);
  void reject(const Connection::Frame& frame, const gradtail::Error& error);
  void send_again(const Message& request);
  void check_sender(const gradtail::AutogradMetadata& metadata) const;
  void record(const char* verb, std::uint64_t frame, std::size_t payload_size,
              std::size_t trailer_size, const gradtail::AutogradMetadata& metadata);

  Connection connection_;
  bool verbose_;
  Traffic traffic_;
  std::map<std::uint64_t, Sent> sent_;  // by frame number, while the peer may ask for it again
  std::deque<std::uint64_t> requests_;  // payloads of the resend requests among them
  unsigned rejected_in_a_row_ = 0;
};

}  // namespace two_workers
