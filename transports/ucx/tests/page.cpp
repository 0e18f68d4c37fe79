// SPDX-License-Identifier: Apache-2.0
// The code of transports/ucx/README.md compiles and does what the page says.
#include <doctest/doctest.h>
#include <ucp/api/ucp.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

// Before the page includes them: in there a namespace is open.
#include "connect.hpp"
#include "gradtail/gradtail.hpp"
#include "gradtail/ucx.hpp"
#include "page.hpp"

namespace page {

constexpr std::size_t largest_payload = 1 << 20;

std::vector<ucs_status_t> statuses;
gradtail::AutogradMetadata asked;  ///< what memory was chosen by
gradtail::AutogradMetadata handled;
std::vector<gradtail::DevicePair> handled_map;
std::vector<std::byte> payload;

void sent(ucs_status_t status) { statuses.push_back(status); }

std::vector<std::byte> memory_for(const gradtail::AutogradMetadata& metadata, std::size_t size) {
  asked = metadata;
  return std::vector<std::byte>(size);
}

void handle(const gradtail::AutogradMetadata& metadata, const std::vector<std::byte>& bytes) {
  handled_map.assign(metadata.device_map.begin(), metadata.device_map.end());
  handled = metadata;
  handled.device_map = handled_map;
  payload = bytes;
}

#include "ucx.inc"

}  // namespace page

using namespace page;

namespace {

constexpr gradtail::DevicePair devices[] = {{{1, 0}, {1, 1}}};

/// A worker connected to itself, which takes activations.
struct Ends {
  Ends() {
    REQUIRE(take_activations(node.worker()));
    failure.clear();
    statuses.clear();
    payload.clear();
    handled = asked = {};
  }
  ~Ends() { node.close(endpoint); }
  Ends(const Ends&) = delete;
  Ends& operator=(const Ends&) = delete;

  ucx::Node node{"tcp"};
  ucp_ep_h endpoint = ucx::connect(node, ucx::address_of(node));
};

}  // namespace

TEST_CASE("the page's sender and receiver understand each other, eager and rendezvous") {
  for (const std::size_t count :
       {std::size_t{0}, std::size_t{3}, largest_payload / sizeof(float)}) {
    Ends ends;
    auto outgoing = std::make_unique<Outgoing>();
    outgoing->activations.assign(count, 1.5F);
    const std::vector<float> values = outgoing->activations;
    const gradtail::AutogradMetadata metadata{.context_id = 9, .device_map = devices};
    REQUIRE(send_activations(ends.endpoint, std::move(outgoing), metadata));
    ends.node.progress_until([&] { return handled.context_id == 9 && !statuses.empty(); });
    CHECK(statuses == std::vector{UCS_OK});
    CHECK(asked.context_id == 9);
    CHECK(handled == metadata);
    CHECK(std::ranges::equal(payload, std::as_bytes(std::span(values))));
  }
}

TEST_CASE("the page's receiver refuses what is damaged or too large, and goes on") {
  Ends ends;
  const ucp_request_param_t param{};
  CHECK(ends.node.wait(ucp_am_send_nbx(ends.endpoint, activations_id, "?", 1, "", 0, &param)) ==
        UCS_OK);
  ends.node.progress_until([&] { return !failure.empty(); });
  CHECK(failure.starts_with("absent"));

  auto outgoing = std::make_unique<Outgoing>();
  outgoing->activations.resize(largest_payload / sizeof(float) + 1);
  REQUIRE(send_activations(ends.endpoint, std::move(outgoing), {}));
  ends.node.progress_until([&] { return !statuses.empty(); });
  CHECK(statuses == std::vector{UCS_ERR_REJECTED});
  CHECK(payload.empty());

  outgoing = std::make_unique<Outgoing>();
  REQUIRE(!send_activations(ends.endpoint, std::move(outgoing), {.context_id = -2}));
  CHECK(failure.starts_with("invalid"));

  outgoing = std::make_unique<Outgoing>();
  REQUIRE(send_activations(ends.endpoint, std::move(outgoing), {.context_id = 9}));
  ends.node.progress_until([&] { return handled.context_id == 9; });
}

TEST_CASE("the page's pieces arrive as one payload") {
  Ends ends;
  std::string first = "one ";
  std::string second = "payload";
  const std::vector<ucp_dt_iov_t> pieces = {{first.data(), first.size()},
                                            {second.data(), second.size()}};
  gradtail::Trailer trailer;
  REQUIRE(send_pieces(ends.endpoint, pieces, trailer, {}));
  ends.node.progress_until([&] { return handled.context_id == 7; });
  const std::string whole = first + second;
  CHECK(std::ranges::equal(payload, std::as_bytes(std::span(whole))));
}
