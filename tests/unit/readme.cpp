// SPDX-License-Identifier: Apache-2.0
// The README's code compiles and does what the README says.
#include <doctest/doctest.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

// Before the README includes it: in there a namespace is open.
#include "gradtail/gradtail.hpp"
#include "page.hpp"

namespace page {

std::vector<char> transmitted;

bool transmit(const std::vector<char>& buffer) {
  transmitted = buffer;
  return true;
}

#include "readme.inc"

}  // namespace page

using namespace page;

TEST_CASE("what the README sends, the README receives") {
  std::vector<char> buffer = {'p', 'a', 'y'};
  REQUIRE(send_forward(buffer, 5, 6));
  CHECK(transmitted.size() == 3 + 56);
  REQUIRE(on_receive(std::as_bytes(std::span(transmitted))));
  CHECK(handled_context == 5);
  CHECK(handled_payload == "pay");
  transmitted.back() = 0;
  CHECK_FALSE(on_receive(std::as_bytes(std::span(transmitted))));
  CHECK(failure.starts_with("absent at byte 55"));
}

TEST_CASE("the README's ways to send give the same trailer") {
  std::string appended = "payload";
  REQUIRE(into_container(appended));
  std::string block = "payload" + std::string(100, 'x');
  const std::size_t size = into_tailroom(std::as_writable_bytes(std::span(block)), 7);
  CHECK(block.substr(0, 7 + size) == appended);
  std::array<int, 2> ends{};
  REQUIRE(pipe(ends.data()) == 0);
  REQUIRE(gather(ends[1], std::as_bytes(std::span(appended).first(7))));
  std::string received(appended.size(), 0);
  CHECK(read(ends[0], received.data(), received.size()) == std::ssize(received));
  CHECK(received == appended);
  close(ends[0]);
  close(ends[1]);
}

TEST_CASE("the README's device map is sent") {
  std::vector<std::byte> buffer;
  REQUIRE(with_device_map(buffer));
  const auto opened = gradtail::open(buffer);
  REQUIRE(opened);
  CHECK(std::ranges::equal(opened->metadata().device_map, devices));
}

TEST_CASE("the README's ways to receive give the payload back") {
  std::string message = "payload";
  REQUIRE(into_container(message));
  handled_payload.clear();
  const std::array<iovec, 2> pieces = {{{message.data(), 20}, {message.data() + 20, 35}}};
  REQUIRE(in_pieces(pieces));
  CHECK(handled_payload == "payload");
  std::vector<char> buffer(message.begin(), message.end());
  REQUIRE(in_place(buffer));
  CHECK(handled_context == 7);
  CHECK(handled_payload == "payload");
  CHECK(buffer.size() == 7);
}

TEST_CASE("the README's generator counts as its comment says") {
  std::int64_t context = 0;
  REQUIRE(next_context(context));
  CHECK(context == std::int64_t{3} << 48);
  REQUIRE(next_context(context));
  CHECK(context == (std::int64_t{3} << 48 | 1));
}
