// SPDX-License-Identifier: Apache-2.0
// libtorch's RPC messages: the trailer is in the payload, and PyTorch's types lose nothing.
// c10's CHECK would be in the way of doctest's.
#include "gradtail/torch.hpp"
#undef CHECK
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <new>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "gradtail/write.hpp"
#include "printing.hpp"

using gradtail::AutogradMetadata;
using gradtail::Check;
using gradtail::Code;
using gradtail::Device;
using gradtail::DevicePair;
using gradtail::Error;
using gradtail::Field;
using gradtail::TrailerScratch;
using torch::distributed::rpc::Message;
using torch::distributed::rpc::MessageType;
using DeviceMap = std::unordered_map<c10::Device, c10::Device>;

namespace {

thread_local std::size_t allocation_count = 0;

constexpr AutogradMetadata metadata{.context_id = 7,
                                    .message_id = 8,
                                    .from_worker_id = 3,
                                    .wrapped_message_type = MessageType::SCRIPT_CALL};
const std::string text = "a call and its arguments";

c10::intrusive_ptr<Message> message_of(std::vector<char> payload) {
  return c10::make_intrusive<Message>(std::move(payload), std::vector<torch::Tensor>{},
                                      MessageType::FORWARD_AUTOGRAD_REQ);
}

c10::intrusive_ptr<Message> message_of(const std::string& payload) {
  return message_of(std::vector<char>(payload.begin(), payload.end()));
}

std::string payload_of(const Message& message) {
  return {message.payload().begin(), message.payload().end()};
}

/// What c10 says of a refusal; empty where there is none.
template <class Function>
std::string refusal(Function function) {
  try {
    function();
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  }
  return {};
}

template <class M>
concept Appends = requires(M&& message) {
  gradtail::append(message, AutogradMetadata{});
};
template <class M>
concept Strips = requires(M&& message, TrailerScratch& scratch) {
  gradtail::strip(message, scratch);
};
template <class M>
concept Opens = requires(M&& message) {
  gradtail::open(std::forward<M>(message));
};

static_assert(Opens<Message&> && Opens<const Message&>);
static_assert(!Opens<Message> && !Opens<const Message>);  // it would dangle
static_assert(Appends<Message&> && !Appends<const Message&>);
static_assert(Strips<Message&> && !Strips<const Message&>);
static_assert(std::is_same_v<decltype(gradtail::to_torch_worker(0)), std::int16_t>);

}  // namespace

// Not inlined: gcc would see malloc and delete in one place, and warn.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++allocation_count;
  if (void* memory = std::malloc(std::max<std::size_t>(size, 1))) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }

TEST_CASE("a message's payload gets the trailer that bytes get") {
  const auto message = message_of(text);
  const auto size = gradtail::append(*message, metadata);
  REQUIRE(size);
  std::array<char, gradtail::max_trailer_size> expected;
  REQUIRE(gradtail::write_trailer(expected, metadata, text.size()));
  CHECK(payload_of(*message) == text + std::string(expected.data(), *size));
  CHECK(message->type() == MessageType::FORWARD_AUTOGRAD_REQ);
}

TEST_CASE("a message that may not be changed is read in place") {
  const auto message = message_of(text);
  REQUIRE(gradtail::append(*message, metadata));
  const Message& received = *message;
  const auto view = gradtail::open(received);
  REQUIRE(view);
  CHECK(view->metadata() == metadata);
  CHECK(static_cast<const void*>(view->payload().data()) == received.payload().data());
  CHECK(view->payload().size() == text.size());
}

TEST_CASE("a stripped message is what it was, in the same memory, and the view lives on") {
  const auto message = message_of(text);
  const std::array pairs{DevicePair({0, -1}, {0, -1}), DevicePair({1, 0}, {1, 1})};
  AutogradMetadata with_map = metadata;
  with_map.device_map = pairs;
  REQUIRE(gradtail::append(*message, with_map));
  const char* data = message->payload().data();
  TrailerScratch scratch;
  const auto view = gradtail::strip(*message, scratch);
  REQUIRE(view);
  CHECK(payload_of(*message) == text);
  CHECK(message->payload().data() == data);
  std::ranges::fill(message->payload(), '?');
  CHECK(view->metadata() == with_map);
}

TEST_CASE("with room reserved nothing is allocated and the payload stays where it is") {
  std::vector<char> payload(text.begin(), text.end());
  payload.reserve(text.size() + gradtail::max_trailer_size);
  const auto message = message_of(std::move(payload));
  const char* data = message->payload().data();
  TrailerScratch scratch;
  const std::size_t before = allocation_count;
  const bool done = gradtail::append(*message, metadata) && gradtail::open(*message) &&
                    gradtail::strip(*message, scratch);
  CHECK(allocation_count == before);
  CHECK(done);
  CHECK(message->payload().data() == data);
}

TEST_CASE("without room the payload grows once") {
  const auto message = message_of(text);
  message->payload().shrink_to_fit();
  const std::size_t before = allocation_count;
  const bool done = gradtail::append(*message, metadata).has_value();
  CHECK(allocation_count == before + 1);
  CHECK(done);
}

TEST_CASE("what is refused leaves the message as it was") {
  const auto message = message_of(text);
  CHECK(gradtail::append(*message, {.message_id = -2}).error() ==
        Error{Code::invalid, Check::values, Field::message_id, text.size()});
  TrailerScratch scratch;
  CHECK(gradtail::open(*message).error().code == Code::absent);
  CHECK(gradtail::strip(*message, scratch).error().code == Code::absent);
  CHECK(payload_of(*message) == text);

  REQUIRE(gradtail::append(*message, metadata));
  CHECK(gradtail::open(*message, {.trailer_size = 40}).error().code == Code::too_large);
  CHECK(gradtail::strip(*message, scratch, {.trailer_size = 40}).error().code == Code::too_large);
  message->payload()[text.size() + 20] ^= 1;
  const std::string damaged = payload_of(*message);
  CHECK(gradtail::open(*message).error().check == Check::checksum);
  CHECK(gradtail::strip(*message, scratch).error().check == Check::checksum);
  CHECK(payload_of(*message) == damaged);
}

TEST_CASE("a worker that PyTorch has no room for is refused by its number, never cut") {
  for (const std::int32_t worker : {-1, 0, 1, 32767}) {
    CHECK(gradtail::to_torch_worker(worker) == worker);
  }
  for (const std::int32_t worker : {32768, 65535, 65536, 70000, 2147483647, -2}) {
    CHECK(refusal([&] { return gradtail::to_torch_worker(worker); }) ==
          "gradtail: worker " + std::to_string(worker) +
              " is out of range: PyTorch supports 0 to 32767");
  }
}

TEST_CASE("a device type that c10 doesn't know is refused by its number") {
  const auto known = static_cast<std::int8_t>(c10::COMPILE_TIME_MAX_DEVICE_TYPES);
  for (std::int8_t type = 0; type < known; ++type) {
    CHECK(gradtail::from_torch(gradtail::to_torch({type, 0})) == Device{type, 0});
  }
  for (const std::int8_t type : {std::int8_t{-1}, known, std::int8_t{63}, std::int8_t{127}}) {
    CHECK(refusal([&] {
            return gradtail::to_torch({type, 0});
          }) == "gradtail: device type " + std::to_string(type) + " is unknown to this libtorch");
  }
  const std::array pairs{DevicePair({1, 0}, {63, 0})};
  const std::string said = refusal([&] { return gradtail::to_torch(pairs); });
  CHECK(said.find("device type 63 ") != std::string::npos);
  CHECK(gradtail::to_torch({0, -1}) == c10::Device("cpu"));
  CHECK(gradtail::to_torch({0, 0}) == c10::Device("cpu:0"));
  for (const std::int8_t index : {std::int8_t{1}, std::int8_t{5}, std::int8_t{127}}) {
    CHECK(refusal([&] {
            return gradtail::to_torch({0, index});
          }) ==
          "gradtail: device cpu:" + std::to_string(index) + " does not exist: PyTorch has one CPU");
  }
}

TEST_CASE("a device map comes out of a message as it went in") {
  const DeviceMap map{{c10::Device("cpu"), c10::Device("cuda:3")},
                      {c10::Device("cuda:0"), c10::Device("cuda:127")},
                      {c10::Device("cuda"), c10::Device("meta")}};
  const std::vector<DevicePair> pairs = gradtail::from_torch(map);
  const auto message = message_of(text);
  REQUIRE(gradtail::append(*message, {.device_map = pairs}));
  const auto view = gradtail::open(*message);
  REQUIRE(view);
  CHECK(gradtail::to_torch(view->metadata().device_map) == map);
}

TEST_CASE("the pairs of a device map take one allocation, however many they are") {
  DeviceMap map;
  for (int i = 0; i <= 100; ++i) {
    const auto index = static_cast<c10::DeviceIndex>(i);
    map.emplace(c10::Device(c10::kCUDA, index), c10::Device(c10::kCUDA, index));
    const std::size_t before = allocation_count;
    const std::vector<DevicePair> pairs = gradtail::from_torch(map);
    CHECK(allocation_count == before + 1);
    CHECK(pairs.size() == map.size());
  }
}

TEST_CASE("an empty device map is absent, and costs no allocation") {
  const DeviceMap none;
  const std::size_t before = allocation_count;
  CHECK(gradtail::from_torch(none).empty());
  CHECK(gradtail::to_torch(std::span<const DevicePair>{}).empty());
  CHECK(allocation_count == before);
}

TEST_CASE("device maps that can't be inverted, or are too many, are refused when written") {
  const DeviceMap two_to_one{{c10::Device("cuda:0"), c10::Device("cuda:2")},
                             {c10::Device("cuda:1"), c10::Device("cuda:2")}};
  DeviceMap many;
  for (int i = 0; i <= 127; ++i) {
    const auto index = static_cast<c10::DeviceIndex>(i);
    many.emplace(c10::Device(c10::kCUDA, index), c10::Device(c10::kCUDA, index));
  }
  many.emplace(c10::Device("cpu"), c10::Device("cpu"));
  const auto message = message_of(text);
  const auto field = [&](const DeviceMap& map) {
    const std::vector<DevicePair> pairs = gradtail::from_torch(map);
    return gradtail::append(*message, {.device_map = pairs}).error().field;
  };
  CHECK(field(two_to_one) == Field::device_map_target);
  CHECK(field(many) == Field::device_map_size);
  CHECK(payload_of(*message) == text);
}
