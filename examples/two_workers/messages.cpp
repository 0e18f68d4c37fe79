// SPDX-License-Identifier: Apache-2.0
// The send path, the receive handler, and asking again for what arrived damaged.
#include "messages.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "log.hpp"

namespace two_workers {

namespace {

// A flipped bit is repaired by sending again. A peer whose messages are refused one after the other
// is of another version, or no worker at all.
constexpr unsigned max_rejected_in_a_row = 8;

}  // namespace

std::string_view to_string(MessageType type) {
  switch (type) {
    case MessageType::activations:
      return "activations";
    case MessageType::gradients:
      return "gradients";
    case MessageType::evaluation:
      return "evaluation";
    case MessageType::report:
      return "report";
    case MessageType::resend:
      return "resend";
    case MessageType::done:
      return "done";
  }
  return "unknown";
}

Channel::Channel(Connection connection, bool verbose)
    : connection_(std::move(connection)), verbose_(verbose) {}

void Channel::send(MessageType type, const PassId& pass, Payload payload) {
  transmit({{.context_id = pass.context_id,
             .message_id = pass.message_id,
             .from_worker_id = connection_.self(),
             .wrapped_message_type = static_cast<std::uint32_t>(type)},
            std::move(payload)});
}

void Channel::send(MessageType type, Payload payload) {
  send(type, PassId{-1, -1}, std::move(payload));  // -1 is absent, and takes no room
}

// The send path. The trailer is made here, on the stack, and lives until the gather write is done;
// the payload is never touched.
void Channel::transmit(Sent message) {
  std::size_t payload_size = 0;
  for (const auto piece : message.payload) payload_size += piece.size();

  const auto trailer = gradtail::Trailer::make(message.metadata, payload_size);
  if (!trailer) throw std::runtime_error("can't send: " + gradtail::to_string(trailer.error()));
  const std::uint64_t frame = connection_.send(message.payload, trailer->bytes());

  ++traffic_.sent;
  record("sent", frame, payload_size, trailer->bytes().size(), message.metadata);
  sent_.emplace(frame, std::move(message));
}

// The receive handler. The view borrows from the frame, so they go on together.
std::optional<Message> Channel::receive_or_end() {
  while (std::optional<Connection::Frame> frame = connection_.receive()) {
    ++traffic_.received;
    const auto message = gradtail::open(frame->message);
    if (!message) {
      reject(*frame, message.error());
      continue;
    }
    rejected_in_a_row_ = 0;
    check_sender(message->metadata());
    record("received", frame->number, message->payload().size(), message->trailer().size(),
           message->metadata());
    Message opened(std::move(frame->message), *message);
    if (opened.type() != MessageType::resend) return opened;
    send_again(opened);
  }
  return std::nullopt;
}

Message Channel::receive() {
  std::optional<Message> message = receive_or_end();
  if (message) return std::move(*message);
  throw std::runtime_error(worker_name(connection_.peer()) +
                           " is gone: it closed the connection before the end");
}

void Channel::forget_sent() {
  sent_.clear();
  requests_.clear();
}

// Nothing of a message that can't be opened is to be believed, its ids least of all. What names it
// is its place on the connection. Whatever the error says, one flipped bit can be the cause: in the
// version it looks like a newer peer, in the magic like no trailer, and here one is always due.
void Channel::reject(const Connection::Frame& frame, const gradtail::Error& error) {
  const std::string text = "frame " + std::to_string(frame.number) + " from " +
                           worker_name(connection_.peer()) +
                           " refused: " + gradtail::to_string(error);
  if (++rejected_in_a_row_ > max_rejected_in_a_row) {
    throw std::runtime_error(text + "; so were the " + std::to_string(max_rejected_in_a_row) +
                             " before it");
  }
  ++traffic_.rejected;
  traffic_.bytes += Connection::frame_size(frame.message.size());
  say(worker_name(connection_.self()) + ": " + text + "; dropped, and asked for again");
  requests_.push_back(frame.number);
  send(MessageType::resend, {std::as_bytes(std::span(&requests_.back(), 1))});
}

void Channel::send_again(const Message& request) {
  const std::uint64_t frame = request.frame_number();
  const auto found = sent_.find(frame);
  if (found == sent_.end()) {
    throw std::runtime_error(worker_name(connection_.peer()) + " asks again for frame " +
                             std::to_string(frame) + ", which it has, or which was never sent");
  }
  ++traffic_.rejected_by_peer;
  transmit(found->second);
}

// What a trailer says of its sender is a claim. The connection knows who is at its other end.
void Channel::check_sender(const gradtail::AutogradMetadata& metadata) const {
  if (metadata.from_worker_id == connection_.peer()) return;
  throw std::runtime_error("a message on the connection to " + worker_name(connection_.peer()) +
                           " claims another sender: " + gradtail::to_string(metadata));
}

void Channel::record(const char* verb, std::uint64_t frame, std::size_t payload_size,
                     std::size_t trailer_size, const gradtail::AutogradMetadata& metadata) {
  traffic_.bytes += Connection::frame_size(payload_size + trailer_size);
  traffic_.largest_trailer = std::max(traffic_.largest_trailer, trailer_size);
  traffic_.trailer_bytes += trailer_size;
  ++traffic_.trailers;
  if (!verbose_) return;
  const auto type = static_cast<MessageType>(metadata.wrapped_message_type);
  say(worker_name(connection_.self()) + " " + verb + " frame " + std::to_string(frame) + ", " +
      std::string(to_string(type)) + ", " + std::to_string(payload_size) + " + " +
      std::to_string(trailer_size) + " bytes: " + gradtail::to_string(metadata));
}

std::span<const double> Message::values() const {
  const std::span<const std::byte> payload = view_.payload();
  if (payload.size() % sizeof(double) != 0) {
    throw std::runtime_error("a payload is not made of doubles: " + describe());
  }
  // The payload begins where the buffer does, which is aligned for doubles (wire.cpp asserts it).
  return {reinterpret_cast<const double*>(payload.data()), payload.size() / sizeof(double)};
}

std::uint64_t Message::frame_number() const {
  std::uint64_t number = 0;
  if (view_.payload().size() != sizeof number) {
    throw std::runtime_error("a request to resend holds no frame number: " + describe());
  }
  std::memcpy(&number, view_.payload().data(), sizeof number);
  return number;
}

std::string Message::describe() const {
  return std::to_string(view_.payload().size()) + " bytes with " +
         gradtail::to_string(view_.metadata());
}

}  // namespace two_workers
