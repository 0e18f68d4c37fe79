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

namespace {

std::int64_t handled_context;
std::int16_t handled_worker;
std::unordered_map<c10::Device, c10::Device> handled_map;
std::string handled;

bool handle(std::int64_t context, std::int16_t worker,
            const std::unordered_map<c10::Device, c10::Device>& map,
            std::span<const std::byte> payload) {
  handled_context = context;
  handled_worker = worker;
  handled_map = map;
  handled.assign(reinterpret_cast<const char*>(payload.data()), payload.size());
  return true;
}

bool handle(std::int64_t context, std::vector<char> payload) {
  handled_context = context;
  handled.assign(payload.begin(), payload.end());
  return true;
}

#include "torch.inc"

/// What the page says that is thrown.
template <class Function>
std::string thrown(Function function) {
  try {
    function();
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
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
  CHECK(handled == "call");
  handled.clear();
  REQUIRE(on_request_vector(*request));
  CHECK(handled == "call");
  CHECK(thrown([&] { on_request(*request); }).starts_with("absent"));
  CHECK(thrown([&] { on_request_vector(*request); }).starts_with("absent"));
}

TEST_CASE("what the page quotes is what is said") {
  CHECK(thrown([] { (void)gradtail::to_torch_worker(70000); }) ==
        "gradtail: worker 70000 is out of range: PyTorch supports 0 to 32767");
  CHECK(thrown([] {
          (void)gradtail::to_torch({63, 0});
        }) == "gradtail: device type 63 is unknown to this libtorch");
}
