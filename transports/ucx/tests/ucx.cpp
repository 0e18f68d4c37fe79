// SPDX-License-Identifier: Apache-2.0
// Trailers as headers of active messages: which bytes, when metadata is there, who owns what.
#include "gradtail/ucx.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "guarded_memory.hpp"
#include "loop.hpp"
#include "printing.hpp"
#include "reference.hpp"

using gradtail::AutogradMetadata;
using gradtail::Check;
using gradtail::Code;
using gradtail::Error;
using gradtail::Field;
using gradtail::Trailer;
using gradtail::TrailerScratch;
using reference::Bytes;

TEST_CASE("a message of any size arrives, metadata first, in the memory that the handler chose") {
  const auto map = reference::pairs(128);
  each_way([&](const Way& way, Loop& loop) {
    for (const std::size_t payload_size : std::array<std::size_t, 5>{0, 1, 64, 65536, 16 << 20}) {
      for (const unsigned set : {0x00U, 0x0FU, 0xFFU}) {
        CAPTURE(payload_size);
        const AutogradMetadata metadata = reference::fields_of(set, map);
        const Bytes payload = reference::payload_of(payload_size);
        Bytes memory(payload_size + 8, std::byte{0xEE});
        const std::size_t before = loop.calls;
        loop.handler = [&](const Arrived& arrived) {
          TrailerScratch scratch;
          const auto message = arrived.open(scratch);
          REQUIRE(message);
          CHECK(message->metadata() == metadata);
          CHECK(message->payload_size() == payload_size);
          CHECK(message->is_remote() == way.remote);
          CHECK(message->payload().size() == (way.remote ? 0 : payload_size));
          return loop.receive(*message, memory);
        };
        REQUIRE(loop.exchange(payload, metadata, way.send_flags) == UCS_OK);
        CHECK(loop.calls == before + 1);
        CHECK(loop.received == UCS_OK);
        CHECK(std::equal(payload.begin(), payload.end(), memory.begin()));
        CHECK(std::count(memory.end() - 8, memory.end(), std::byte{0xEE}) == 8);
      }
    }
  });
}

TEST_CASE("the header is the trailer, byte for byte") {
  Loop loop;
  Bytes header;
  loop.handler = [&](const Arrived& arrived) {
    const auto* bytes = static_cast<const std::byte*>(arrived.header);
    header.assign(bytes, bytes + arrived.header_length);
    return UCS_OK;
  };
  REQUIRE(loop.exchange(reference::payload_of(100), reference::full, 0) == UCS_OK);
  CHECK(header == reference::trailer_of(reference::full, 100));
}

TEST_CASE("UCX takes the largest trailer as a header") {
  for (const char* transport : transports) {
    const ucx::Node node(transport);
    ucp_worker_attr_t attributes{};
    attributes.field_mask = UCP_WORKER_ATTR_FIELD_MAX_AM_HEADER;
    REQUIRE(ucp_worker_query(node.worker(), &attributes) == UCS_OK);
    CHECK(attributes.max_am_header >= gradtail::max_trailer_size);
  }
}

TEST_CASE("pieces arrive as one payload") {
  const Bytes first = reference::payload_of(7);
  const Bytes second = reference::payload_of(100'000);
  const auto piece = [](const Bytes& bytes) {
    return ucp_dt_iov_t{const_cast<std::byte*>(bytes.data()), bytes.size()};
  };
  const std::vector<ucp_dt_iov_t> pieces = {piece(first), piece({}), piece(second)};
  each_way([&](const Way& way, Loop& loop) {
    Bytes memory(first.size() + second.size());
    loop.handler = [&](const Arrived& arrived) {
      TrailerScratch scratch;
      const auto message = arrived.open(scratch);
      REQUIRE(message);
      CHECK(message->metadata() == reference::forward);
      return loop.receive(*message, memory);
    };
    REQUIRE(loop.exchange(pieces, reference::forward, way.send_flags) == UCS_OK);
    CHECK(std::ranges::equal(std::span(memory).first(7), first));
    CHECK(std::ranges::equal(std::span(memory).subspan(7), second));
  });
}

TEST_CASE("a bad header is refused, the sender of a remote payload told, and the endpoint lives") {
  const Bytes payload = reference::payload_of(1000);
  const Bytes good = reference::trailer_of(reference::mapped, payload.size());
  const std::size_t n = good.size();
  Bytes flipped = good;
  flipped[20] = std::byte{0xFF};
  const Bytes longer = reference::message_of(8, reference::mapped);
  const struct {
    std::string name;
    Bytes header;
    Error error;
  } rows[] = {
      {"none", {}, {Code::absent, Check::magic, Field::none, 0}},
      {"flipped", flipped, {Code::corrupt, Check::checksum, Field::none, n - 8}},
      {"bytes in front",
       longer,
       {Code::corrupt, Check::trailer_size, Field::none, longer.size() - 16}},
      {"of another payload",
       reference::trailer_of(reference::mapped, payload.size() + 1),
       {Code::corrupt, Check::checksum, Field::none, n - 8}},
  };
  each_way([&](const Way& way, Loop& loop) {
    for (const auto& row : rows) {
      CAPTURE(row.name);
      loop.handler = [&](const Arrived& arrived) {
        TrailerScratch scratch;
        const auto message = arrived.open(scratch);
        REQUIRE(!message);
        CHECK(message.error() == row.error);
        return gradtail::refusal(arrived.param);
      };
      CHECK(loop.exchange_header(row.header, payload, way.send_flags) ==
            (way.remote ? UCS_ERR_REJECTED : UCS_OK));
    }
    loop.handler = [&](const Arrived& arrived) {
      TrailerScratch scratch;
      CHECK(arrived.open(scratch));
      return UCS_OK;
    };
    CHECK(loop.exchange_header(good, payload, way.send_flags) == UCS_OK);
    CHECK(loop.calls == std::size(rows) + 1);
  });
}

TEST_CASE("metadata that is refused leaves the trailer, and nothing is sent") {
  Loop loop;
  loop.handler = [](const Arrived&) { return UCS_OK; };
  Trailer trailer = *Trailer::make(reference::forward, 5);
  const Bytes before(trailer.bytes().begin(), trailer.bytes().end());
  const Bytes payload = reference::payload_of(5);
  const auto sent =
      gradtail::send(loop.endpoint, message_id, payload, {.context_id = -2}, trailer, {});
  REQUIRE(!sent);
  CHECK(sent.error() == Error{Code::invalid, Check::values, Field::context_id, 5});
  CHECK(std::ranges::equal(trailer.bytes(), before));
  for (int i = 0; i < 100; ++i) loop.node.progress();
  CHECK(loop.calls == 0);
}

TEST_CASE("memory that is too small gets nothing, and the message can be refused") {
  const Bytes payload = reference::payload_of(1000);
  each_way([&](const Way& way, Loop& loop) {
    Bytes memory(999, std::byte{0xEE});
    loop.handler = [&](const Arrived& arrived) {
      TrailerScratch scratch;
      const auto message = arrived.open(scratch);
      REQUIRE(message);
      CHECK(loop.receive(*message, memory) == UCS_OK);
      return gradtail::refusal(arrived.param);
    };
    CHECK(loop.exchange(payload, reference::forward, way.send_flags) ==
          (way.remote ? UCS_ERR_REJECTED : UCS_OK));
    CHECK(loop.received == UCS_ERR_BUFFER_TOO_SMALL);
    CHECK(std::ranges::count(memory, std::byte{0xEE}) == 999);
  });
}

TEST_CASE("a view lives on the scratch alone") {
  Bytes header = reference::trailer_of(reference::mapped, 10);
  TrailerScratch scratch;
  const ucp_am_recv_param_t param{};
  const auto message = gradtail::open(header.data(), header.size(), nullptr, 10, param, scratch);
  REQUIRE(message);
  const Bytes trailer = header;
  std::ranges::fill(header, std::byte{0xEE});
  CHECK(message->metadata() == reference::mapped);
  CHECK(std::ranges::equal(message->trailer(), trailer));
  CHECK(message->trailer().data() == scratch.memory().data());
}

TEST_CASE("a header larger than the limit or the scratch is refused") {
  const Bytes header = reference::trailer_of(reference::mapped, 10);
  const Error error{Code::too_large, Check::limit, Field::none, header.size() - 16};
  const ucp_am_recv_param_t param{};
  Bytes memory(header.size() - 1);
  TrailerScratch small{memory};
  const auto over_scratch = gradtail::open(header.data(), header.size(), nullptr, 10, param, small);
  REQUIRE(!over_scratch);
  CHECK(over_scratch.error() == error);
  CHECK(std::ranges::count(memory, std::byte{0}) == std::ssize(memory));
  TrailerScratch scratch;
  const auto over_limit = gradtail::open(header.data(), header.size(), nullptr, 10, param, scratch,
                                         {.trailer_size = header.size() - 1});
  REQUIRE(!over_limit);
  CHECK(over_limit.error() == error);
}

TEST_CASE("opening doesn't touch the payload, here or remote") {
  const guarded::Pages pages(1);
  const_cast<guarded::Pages&>(pages).forbid(0, 1);
  const std::span data = pages.bytes();
  const Bytes header = reference::trailer_of(reference::forward, data.size());
  for (const std::uint64_t attributes :
       {std::uint64_t{0}, std::uint64_t{UCP_AM_RECV_ATTR_FLAG_RNDV},
        std::uint64_t{UCP_AM_RECV_ATTR_FLAG_DATA}}) {
    ucp_am_recv_param_t param{};
    param.recv_attr = attributes;
    TrailerScratch scratch;
    const auto message =
        gradtail::open(header.data(), header.size(), data.data(), data.size(), param, scratch);
    REQUIRE(message);
    CHECK(message->payload_size() == data.size());
  }
}

#if UCP_API_VERSION >= UCP_VERSION(1, 14)
TEST_CASE("with UCP_AM_SEND_FLAG_COPY_HEADER the trailer may go when send returns") {
  Loop loop;
  const Bytes payload = reference::payload_of(1 << 20);
  std::size_t good = 0;
  loop.handler = [&](const Arrived& arrived) {
    TrailerScratch scratch;
    const auto message = arrived.open(scratch);
    if (message && message->metadata() == reference::full) ++good;
    return UCS_OK;
  };
  std::vector<ucs_status_ptr_t> requests;
  for (int i = 0; i < 100; ++i) {
    Trailer trailer;
    const auto sent = gradtail::send(loop.endpoint, message_id, payload, reference::full, trailer,
                                     with_flags(UCP_AM_SEND_FLAG_COPY_HEADER));
    REQUIRE(sent);
    requests.push_back(*sent);
    trailer = *Trailer::make({.context_id = 1}, 1);
  }
  for (const ucs_status_ptr_t request : requests) CHECK(loop.node.wait(request) == UCS_OK);
  loop.node.progress_until([&] { return loop.calls == requests.size(); });
  CHECK(good == requests.size());
}
#endif

namespace {

template <class Payload>
constexpr bool sends = requires(Payload&& payload, ucp_ep_h endpoint, Trailer& trailer,
                                const ucp_request_param_t& param) {
  gradtail::send(endpoint, 1U, std::forward<Payload>(payload), AutogradMetadata{}, trailer, param);
};

}  // namespace

TEST_CASE("temporaries that own a payload or its pieces don't compile") {
  CHECK(sends<Bytes&>);
  CHECK(sends<const std::string&>);
  CHECK(sends<std::span<const std::byte>>);
  CHECK(!sends<Bytes>);
  CHECK(!sends<std::string>);
  CHECK(sends<const std::vector<ucp_dt_iov_t>&>);
  CHECK(sends<std::span<ucp_dt_iov_t>>);
  CHECK(!sends<std::vector<ucp_dt_iov_t>>);
  CHECK(!sends<std::vector<float>&>);
}
