// SPDX-License-Identifier: Apache-2.0
// The code of transports/torch/README.md compiles and does what the page says. c10's CHECK would be
// in the way.
#include "gradtail/torch.hpp"
#undef CHECK
#include <doctest/doctest.h>
#include <torch/csrc/distributed/rpc/rpc_agent.h>

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "gradtail/gradtail.hpp"
#include "page.hpp"

namespace page {

std::int16_t handled_worker;
std::unordered_map<c10::Device, c10::Device> handled_map;

bool handle(std::int64_t context, std::int16_t worker,
            const std::unordered_map<c10::Device, c10::Device>& map,
            std::span<const std::byte> payload) {
  handled_worker = worker;
  handled_map = map;
  return handle(context, payload);
}

bool handle(std::int64_t context, const std::vector<char>& payload) {
  return handle(context, std::as_bytes(std::span(payload)));
}

#include "torch.inc"

}  // namespace page

using namespace page;

namespace {

/// What the page says that is thrown.
template <class Function>
std::string thrown(Function function) {
  try {
    function();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return {};
}

}  // namespace

TEST_CASE("the page's sender and receivers understand each other") {
  const rpc::DeviceMap map{{c10::Device("cuda:0"), c10::Device("cuda:1")}};
  const auto request = make_request({'c', 'a', 'l', 'l'}, {}, map);
  REQUIRE(on_request(*request));
  CHECK(handled_context == 7);
  CHECK(handled_worker == 1);
  CHECK(handled_map == map);
  CHECK(handled_payload == "call");
  handled_payload.clear();
  REQUIRE(on_request_vector(*request));
  CHECK(handled_payload == "call");
  CHECK(thrown([&] { on_request(*request); }).starts_with("absent"));
  CHECK(thrown([&] { on_request_vector(*request); }).starts_with("absent"));
}
