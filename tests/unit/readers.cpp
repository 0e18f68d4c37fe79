// SPDX-License-Identifier: Apache-2.0
// All ways to read a message give the same answer, and keep the same limits.
#include "readers.hpp"

#include <doctest/doctest.h>

#include "messages.hpp"
#include "poke.hpp"
#include "printing.hpp"

using gradtail::AutogradMetadata;
using gradtail::Check;
using gradtail::Code;
using gradtail::Error;
using gradtail::Field;
using gradtail::TrailerScratch;
using readers::Reader;
using reference::Bytes;

TEST_CASE("every reader answers as open does, for every bit of a message") {
  each_flip(reference::message_of(24, reference::full), 0, [](Bytes changed, std::size_t) {
    const auto opened = gradtail::open(changed);
    for (const Reader& reader : readers::all) {
      CAPTURE(std::string(reader.name));
      TrailerScratch scratch;
      const auto read = reader.read(changed, scratch, {});
      CHECK(same(read, opened));
      if (read) CHECK(std::ranges::equal(read->trailer(), opened->trailer()));
    }
  });
}

TEST_CASE("every reader refuses a trailer summed for a payload of another size") {
  constexpr std::size_t payload_size = 24;
  for (const AutogradMetadata& metadata : {reference::forward, reference::mapped, reference::full,
                                           AutogradMetadata{.context_id = 1}}) {
    for (std::size_t other = 0; other < 500; ++other) {
      if (other == payload_size) continue;
      Bytes message = reference::payload_of(payload_size);
      reference::add_trailer(message, metadata, other);
      for (const Reader& reader : readers::all) {
        TrailerScratch scratch;
        CHECK(reader.read(message, scratch, {}).error().check == Check::checksum);
      }
    }
  }
}

TEST_CASE("every reader keeps the limit, and those with a scratch write no byte behind it") {
  for (const AutogradMetadata& metadata : {reference::forward, reference::full}) {
    Bytes message = reference::message_of(5, metadata);
    const std::size_t trailer_size = message.size() - 5;
    const Error too_large{Code::too_large, Check::limit, Field::none, trailer_size - 11};
    for (const Reader& reader : readers::all) {
      CAPTURE(std::string(reader.name));
      TrailerScratch usual;
      CHECK(reader.read(message, usual, {trailer_size}).has_value());
      CHECK(reader.read(message, usual, {trailer_size - 1}).error() == too_large);
      if (!reader.has_scratch) continue;
      for (std::size_t size = 0; size <= trailer_size; ++size) {
        Bytes memory(size + 1, std::byte{0xEE});
        TrailerScratch scratch{std::span(memory).first(size)};
        const auto read = reader.read(message, scratch, {});
        CHECK(read.has_value() == (size == trailer_size));
        CHECK(memory.back() == std::byte{0xEE});
        if (!read) CHECK(read.error() == too_large);
      }
    }
  }
}

TEST_CASE("every reader with a large scratch takes a trailer above the default limit") {
  Bytes table = reference::table_of(reference::forward);
  table.resize(5000, std::byte{0});
  Bytes message = reference::trailer_around(table, 0);
  Bytes memory(message.size());
  TrailerScratch scratch(memory);
  for (const Reader& reader : readers::all) {
    CHECK(reader.read(message, scratch, {}).error().check == Check::limit);
    CHECK(reader.read(message, scratch, {8192}).value().metadata() == reference::forward);
  }
}
