// SPDX-License-Identifier: Apache-2.0
// The code of transports/nixl/README.md compiles and does what the page says.
#include "page.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <span>
#include <string>

#include "gradtail/gradtail.hpp"

namespace page {

bool handle(const gradtail::AutogradMetadata& metadata, const auto& payload) {
  return handle(metadata.context_id, payload);
}

#include "nixl.inc"

}  // namespace page

using namespace page;

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
  CHECK(handled_payload == "tensor 7, 4096 bytes");
  CHECK(!on_notification_with_text(handled_payload));
  CHECK(failure.starts_with("absent"));
}
