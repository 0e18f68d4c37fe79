// SPDX-License-Identifier: Apache-2.0
// The code of transports/nixl/README.md compiles and does what the page says.
#include <doctest/doctest.h>

#include <cstdint>
#include <span>
#include <string>

#include "gradtail/gradtail.hpp"

namespace {

std::string failure;
std::int64_t handled_context;
std::uint64_t handled_size;
std::string handled_text;

bool fail(const gradtail::Error& error) {
  failure = to_string(error);
  return false;
}

bool handle(const gradtail::AutogradMetadata& metadata, std::uint64_t transfer_size) {
  handled_context = metadata.context_id;
  handled_size = transfer_size;
  return true;
}

bool handle(const gradtail::AutogradMetadata& metadata, std::span<const std::byte> text) {
  handled_context = metadata.context_id;
  handled_text.assign(reinterpret_cast<const char*>(text.data()), text.size());
  return true;
}

#include "nixl.inc"

}  // namespace

TEST_CASE("the NIXL page's notification is read with the transfer's size, and with no other") {
  std::string notification = "to be replaced";
  REQUIRE(make_notification(notification, {.context_id = 3}, 1 << 20));
  CHECK(notification.size() == 48);
  REQUIRE(on_notification(notification, 1 << 20));
  CHECK(handled_context == 3);
  CHECK(handled_size == 1 << 20);
  CHECK(!on_notification(notification, (1 << 20) + 1));
  CHECK(failure.starts_with("corrupt at byte 40"));
  CHECK(!make_notification(notification, {.context_id = -2}, 1));
  CHECK(failure.starts_with("invalid"));
}

TEST_CASE("the NIXL page's text travels before the trailer") {
  std::string notification = "tensor 7, 4096 bytes";
  REQUIRE(add_to_notification(notification, {.context_id = 4}));
  REQUIRE(on_notification_with_text(notification));
  CHECK(handled_context == 4);
  CHECK(handled_text == "tensor 7, 4096 bytes");
  CHECK(!on_notification_with_text(handled_text));
  CHECK(failure.starts_with("absent"));
}
