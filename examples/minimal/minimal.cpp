// SPDX-License-Identifier: Apache-2.0
// The smallest use of gradtail, to copy from: a send path and a receive handler.
#include <cstdio>
#include <gradtail/gradtail.hpp>
#include <string>

// The send path: the buffer holds the payload, and the trailer goes behind it.
bool send(std::string& buffer, std::int64_t context_id, std::int64_t message_id) {
  const auto size = gradtail::append(
      buffer, {.context_id = context_id, .message_id = message_id, .from_worker_id = 0});
  if (!size) std::fprintf(stderr, "can't send: %s\n", to_string(size.error()).c_str());
  return size.has_value();
}

// The receive handler: any bytes give a view or an error. The view borrows from the buffer.
bool on_receive(const std::string& buffer) {
  const auto message = gradtail::open(buffer);
  if (!message) {
    std::fprintf(stderr, "refused: %s\n", to_string(message.error(), buffer).c_str());
    return false;
  }
  std::printf("%zu bytes of payload for %s\n", message->payload().size(),
              to_string(message->metadata()).c_str());
  return true;
}

int main() {
  std::string buffer = "gradients of one layer";
  const bool arrived = send(buffer, 5, 7) && on_receive(buffer);
  buffer[buffer.size() - 20] ^= 1;  // one bit changes in transit
  return arrived && !on_receive(buffer) ? 0 : 1;
}
