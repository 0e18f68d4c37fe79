// SPDX-License-Identifier: Apache-2.0
// A user of the installed library: sends and receives one message in every way. Exit status 0 or 1.
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <gradtail/gradtail.hpp>
#include <string>

int main() {
  const gradtail::AutogradMetadata metadata{.context_id = 7, .message_id = 9};
  std::string message = "activations";
  const std::size_t payload_size = message.size();
  if (!gradtail::append(message, metadata)) return 1;

  const auto opened = gradtail::open(message);
  if (!opened || opened->metadata() != metadata) return 1;
  if (opened->payload().size() != payload_size) return 1;

  gradtail::TrailerScratch scratch;
  std::array segments{iovec{message.data(), payload_size + 5},
                      iovec{message.data() + payload_size + 5, message.size() - payload_size - 5}};
  const auto gathered = gradtail::open(segments, scratch);
  if (!gathered || gathered->metadata() != metadata) return 1;

  const auto stripped = gradtail::strip(message, scratch);
  return stripped && stripped->metadata() == metadata && message == "activations" ? 0 : 1;
}
