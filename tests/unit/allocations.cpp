// SPDX-License-Identifier: Apache-2.0
// Nothing is allocated but by a container that append has to grow: every operator new is counted.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory_resource>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "gradtail/gradtail.hpp"
#include "poke.hpp"
#include "readers.hpp"

using gradtail::AutogradMetadata;
using gradtail::Check;
using gradtail::DevicePair;
using gradtail::Field;
using gradtail::OwnedMetadata;
using gradtail::TrailerScratch;
using reference::Bytes;

namespace {

/// What a piece of code gave and allocated.
struct Effect {
  bool result = true;
  std::size_t allocations = 0;
  std::size_t bytes = 0;

  friend bool operator==(const Effect&, const Effect&) = default;
  friend doctest::String toString(const Effect& e) {
    return doctest::toString(e.result) + " with " + doctest::toString(e.allocations) +
           " allocations of " + doctest::toString(e.bytes) + " bytes";
  }
};

Effect current;

constexpr std::align_val_t plain{alignof(std::max_align_t)};

void* allocate(std::size_t size, std::align_val_t alignment) noexcept {
  ++current.allocations;
  current.bytes += size;
  const auto unit = std::max(static_cast<std::size_t>(alignment), sizeof(void*));
  return std::aligned_alloc(unit, (size + unit) / unit * unit);
}

void* allocate_or_throw(std::size_t size, std::align_val_t alignment = plain) {
  void* memory = allocate(size, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

using Align = std::align_val_t;
using Nothrow = const std::nothrow_t&;
using Size = std::size_t;

// A row for each form.
// clang-format off
void* operator new(Size size) { return allocate_or_throw(size); }
void* operator new[](Size size) { return allocate_or_throw(size); }
void* operator new(Size size, Align to) { return allocate_or_throw(size, to); }
void* operator new[](Size size, Align to) { return allocate_or_throw(size, to); }
void* operator new(Size size, Nothrow) noexcept { return allocate(size, plain); }
void* operator new[](Size size, Nothrow) noexcept { return allocate(size, plain); }
void* operator new(Size size, Align to, Nothrow) noexcept { return allocate(size, to); }
void* operator new[](Size size, Align to, Nothrow) noexcept { return allocate(size, to); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, Size) noexcept { std::free(memory); }
void operator delete[](void* memory, Size) noexcept { std::free(memory); }
void operator delete(void* memory, Align) noexcept { std::free(memory); }
void operator delete[](void* memory, Align) noexcept { std::free(memory); }
void operator delete(void* memory, Size, Align) noexcept { std::free(memory); }
void operator delete[](void* memory, Size, Align) noexcept { std::free(memory); }
void operator delete(void* memory, Nothrow) noexcept { std::free(memory); }
void operator delete[](void* memory, Nothrow) noexcept { std::free(memory); }
void operator delete(void* memory, Align, Nothrow) noexcept { std::free(memory); }
void operator delete[](void* memory, Align, Nothrow) noexcept { std::free(memory); }
// clang-format on

namespace {

/// Runs `use`, which says whether all went as it should.
template <class Use>
Effect during(Use use) {
  current = {};
  current.result = use();
  return current;
}

constexpr Effect no_allocation{};

bool all_accept(Bytes& message) {
  TrailerScratch scratch;
  return std::ranges::all_of(readers::all, [&](const readers::Reader& reader) {
    return reader.read(message, scratch, {}).has_value();
  });
}

bool all_refuse(Bytes& message, Check check, Field field = Field::none) {
  TrailerScratch scratch;
  return std::ranges::all_of(readers::all, [&](const readers::Reader& reader) {
    const auto read = reader.read(message, scratch, {});
    return !read && read.error().check == check && read.error().field == field;
  });
}

}  // namespace

TEST_CASE("every form of allocation is counted") {
  volatile std::size_t size = 100;
  const auto counts = [&](auto allocate_and_free) {
    CHECK(during([&] { return allocate_and_free(), true; }) == Effect{true, 1, 100});
  };
  counts([&] { operator delete(operator new(size)); });
  counts([&] { operator delete[](operator new[](size)); });
  counts([&] { operator delete (operator new (size, Align{64}), Align{64}); });
  counts([&] { operator delete[](operator new[](size, Align{64}), Align{64}); });
  counts([&] { operator delete(operator new(size, std::nothrow)); });
  counts([&] { operator delete[](operator new[](size, std::nothrow)); });
  counts([&] { operator delete (operator new (size, Align{64}, std::nothrow), Align{64}); });
  counts([&] { operator delete[](operator new[](size, Align{64}, std::nothrow), Align{64}); });
  counts([&] { std::pmr::vector<char>{}.resize(size); });
}

TEST_CASE("writing and reading allocate nothing, for every set of fields and any device map") {
  std::mt19937 random(3);
  for (const std::size_t count : std::array<std::size_t, 3>{1, 8, 128}) {
    std::vector<DevicePair> map = reference::pairs(count);
    for (const bool sorted : {true, false}) {
      if (!sorted) std::shuffle(map.begin(), map.end(), random);
      for (const auto set : reference::all_sets) {
        const AutogradMetadata metadata = reference::fields_of(set, map);
        std::array<std::byte, gradtail::max_trailer_size> room;
        CHECK(during([&] {
                return gradtail::trailer_size(metadata) != 0 &&
                       gradtail::write_trailer(room, metadata, 33) &&
                       gradtail::Trailer::make(metadata, 33);
              }) == no_allocation);
        if (!sorted) continue;
        Bytes message = reference::message_of(33, metadata);
        CHECK(during([&] { return all_accept(message); }) == no_allocation);
      }
    }
  }
}

TEST_CASE("every kind of refusal of a message allocates nothing") {
  const auto changed = [](std::size_t from_end, std::uint64_t value, std::size_t size) {
    Bytes message = reference::message_of(20, reference::full);
    poke(message, message.size() - from_end, value, size);
    if (from_end > 16) reference::mend_checksum(message);
    return message;
  };
  const std::size_t table = gradtail::trailer_size(reference::full);
  const std::pair<Check, Bytes> rows[] = {
      {Check::magic, Bytes(15)},
      {Check::magic, changed(1, 0, 1)},
      {Check::version, changed(12, 2, 2)},
      {Check::required_flags, changed(10, 1, 2)},
      {Check::trailer_size, changed(16, 0xFFFFFFF8, 4)},
      {Check::limit, reference::trailer_around(Bytes(4096), 0)},
      {Check::checksum, changed(8, 0, 4)},
      {Check::identifier, changed(table - 4, 0, 4)},
      {Check::layout, changed(table, 0, 4)},
  };
  for (auto [check, message] : rows) {
    CHECK(during([&, &bytes = message, expected = check] { return all_refuse(bytes, expected); }) ==
          no_allocation);
  }
}

TEST_CASE("every kind of refusal of a value allocates nothing, reading, writing and appending") {
  std::array<std::byte, 3> room;
  for (const reference::Invalid& row : reference::invalid_metadata()) {
    Bytes message = reference::message_of(9, row.metadata);
    CHECK(during([&] { return all_refuse(message, Check::values, row.field); }) == no_allocation);
    Bytes buffer(9);
    CHECK(during([&] {
            return gradtail::write_trailer(room, row.metadata, 9).error().field == row.field &&
                   gradtail::Trailer::make(row.metadata, 9).error().field == row.field &&
                   gradtail::append(buffer, row.metadata).error().field == row.field;
          }) == no_allocation);
  }
  CHECK(during([&] { return !gradtail::write_trailer(room, {}, 0); }) == no_allocation);
  Bytes message = reference::message_of(9, {.retain_graph = true});
  poke(message, message.size() - 17, 2, 1);
  reference::mend_checksum(message);
  CHECK(during([&] { return all_refuse(message, Check::values, Field::retain_graph); }) ==
        no_allocation);
}

TEST_CASE("owned metadata and an inverse map allocate once, and not without a map") {
  const std::vector<DevicePair> map = reference::pairs(128);
  const Effect one{true, 1, 128 * sizeof(DevicePair)};
  CHECK(during([&] { return gradtail::inverse(map).size() == 128; }) == one);
  CHECK(during([&] { return OwnedMetadata{{.device_map = map}} != OwnedMetadata(); }) == one);
  CHECK(during([&] { return OwnedMetadata(reference::forward) != OwnedMetadata(); }) ==
        no_allocation);
  CHECK(during([&] { return gradtail::inverse({}).empty(); }) == no_allocation);
}

TEST_CASE("ids and their errors allocate nothing") {
  gradtail::IdGenerator ids(7, gradtail::max_id_counter);
  gradtail::IdGenerator wrong(-1);
  CHECK(during([&] { return ids.next() && !ids.next() && !wrong.next(); }) == no_allocation);
}

TEST_CASE_TEMPLATE("append allocates once at most, and not where there is room", C,
                   std::vector<char>, std::vector<unsigned char>, std::vector<std::byte>,
                   std::string, std::pmr::vector<char>, std::pmr::string) {
  constexpr bool is_string = requires(C c) { c.c_str(); };
  const auto byte = static_cast<typename C::value_type>(7);
  for (const std::size_t payload_size : std::array<std::size_t, 6>{0, 1, 15, 16, 100, 100000}) {
    for (const AutogradMetadata& metadata : {AutogradMetadata{}, reference::full}) {
      const std::size_t message_size = payload_size + gradtail::trailer_size(metadata);
      C tight(payload_size, byte);
      REQUIRE(tight.capacity() < message_size);
      const Effect effect = during([&] { return gradtail::append(tight, metadata).has_value(); });
      CHECK(effect.result);
      CHECK(effect.allocations == 1);
      // libstdc++ doubles a string's capacity where that is more.
      if (!is_string) CHECK(effect.bytes == message_size + message_size / 8);
      C roomy(payload_size, byte);
      roomy.reserve(message_size);
      const auto* data = roomy.data();
      TrailerScratch scratch;
      CHECK(during([&] {
              return gradtail::append(roomy, metadata) && gradtail::strip(roomy, scratch);
            }) == no_allocation);
      CHECK(roomy.data() == data);
    }
  }
}
