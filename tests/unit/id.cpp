// SPDX-License-Identifier: Apache-2.0
// Ids: composed and taken apart, handed out once, never past the limit.
#include "gradtail/id.hpp"

#include <doctest/doctest.h>

#include "printing.hpp"

using gradtail::Check;
using gradtail::Code;
using gradtail::compose_id;
using gradtail::Error;
using gradtail::Field;
using gradtail::IdGenerator;

namespace {

constexpr Error bad_worker{Code::invalid, Check::values, Field::id_worker};
constexpr Error bad_counter{Code::invalid, Check::values, Field::id_counter};

}  // namespace

TEST_CASE("an id is worker << 48 plus counter, and comes apart again") {
  struct Row {
    std::int32_t worker;
    std::uint64_t counter;
    std::int64_t id;
  };
  for (const auto& [worker, counter, id] : {
           Row{0, 0, 0},
           Row{1, 0, 0x0001000000000000},
           Row{1, 5, 0x0001000000000005},
           Row{32767, 0, 0x7FFF000000000000},
           Row{32767, gradtail::max_id_counter, 0x7FFFFFFFFFFFFFFE},
           Row{0, gradtail::max_id_counter, 0x0000FFFFFFFFFFFE},
       }) {
    CHECK(compose_id(worker, counter).value() == id);
    CHECK(gradtail::id_worker(id) == worker);
    CHECK(gradtail::id_counter(id) == counter);
  }
  static_assert(compose_id(2, 3).value() == 0x0002000000000003);
  CHECK(gradtail::id_worker(-1) == -1);
  CHECK(gradtail::max_id_counter == 281474976710654);
}

TEST_CASE("workers and counters that don't fit are refused by name") {
  CHECK(compose_id(-1, 0).error() == bad_worker);
  CHECK(compose_id(32768, 0).error() == bad_worker);
  CHECK(compose_id(70000, 0).error() == bad_worker);
  CHECK(compose_id(0, gradtail::max_id_counter + 1).error() == bad_counter);
  CHECK(compose_id(0, ~std::uint64_t{0}).error() == bad_counter);
}

TEST_CASE("a generator counts from zero, which is a valid id") {
  IdGenerator ids(0);
  CHECK(ids.next().value() == 0);
  CHECK(ids.next().value() == 1);
  IdGenerator of_worker_7(7);
  CHECK(of_worker_7.next().value() == std::int64_t{7} << 48);
}

TEST_CASE("a generator stops at its limit and names it, for good") {
  IdGenerator ids(3, gradtail::max_id_counter - 1);
  CHECK(gradtail::id_counter(ids.next().value()) == gradtail::max_id_counter - 1);
  CHECK(gradtail::id_counter(ids.next().value()) == gradtail::max_id_counter);
  for (int i = 0; i < 3; ++i) CHECK(ids.next().error() == bad_counter);
  CHECK(to_string(bad_counter).find("0..2^48-2") != std::string::npos);
}

TEST_CASE("a generator for a worker that has no ids says so at every call") {
  for (const std::int32_t worker : {-1, 32768, 70000}) {
    IdGenerator ids(worker);
    for (int i = 0; i < 2; ++i) CHECK(ids.next().error() == bad_worker);
  }
}
