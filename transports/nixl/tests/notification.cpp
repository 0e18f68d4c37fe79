// SPDX-License-Identifier: Apache-2.0
// Makes and opens the notifications of transports/nixl/README.md, for the test in Python.
#include <charconv>
#include <cstdint>
#include <iostream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gradtail/gradtail.hpp"

namespace {

bool fail(const gradtail::Error& error) {
  std::cout << to_string(error) << '\n';
  return false;
}

bool handle(const gradtail::AutogradMetadata& metadata, std::uint64_t /*transfer_size*/) {
  std::cout << to_string(metadata) << '\n';
  return true;
}

bool handle(const gradtail::AutogradMetadata& metadata, std::span<const std::byte> /*text*/) {
  return handle(metadata, 0);
}

#include "nixl.inc"

constexpr gradtail::DevicePair map[] = {{{1, 0}, {1, 1}}};

int usage() {
  std::cerr << "usage: nixl_notification make|make-text|open|open-text NUMBER\n"
               "make writes a notification for a transfer of NUMBER bytes to the standard output,\n"
               "open reads one from the standard input; of -text, NUMBER is the text.\n";
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return usage();
  const std::string_view verb = argv[1];
  const std::string text = argv[2];
  std::uint64_t size = 0;
  std::from_chars(text.data(), text.data() + text.size(), size);
  const gradtail::AutogradMetadata metadata{
      .context_id = 9, .message_id = 10, .from_worker_id = 1, .device_map = map};
  if (verb == "make" || verb == "make-text") {
    std::string notification = text;
    const bool made = verb == "make" ? make_notification(notification, metadata, size)
                                     : add_to_notification(notification, metadata);
    if (made) std::cout << notification;
    return made ? 0 : 1;
  }
  if (verb != "open" && verb != "open-text") return usage();
  const std::string notification(std::istreambuf_iterator<char>(std::cin), {});
  const bool opened = verb == "open" ? on_notification(notification, size)
                                     : on_notification_with_text(notification);
  return opened ? 0 : 1;
}
