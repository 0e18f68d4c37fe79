// SPDX-License-Identifier: Apache-2.0
// The worked messages of FORMAT.md are what the code writes and reads, byte for byte.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

#include "golden.hpp"
#include "gradtail/open.hpp"
#include "gradtail/write.hpp"
#include "printing.hpp"

using gradtail::AutogradMetadata;
using gradtail::DevicePair;

namespace {

struct Worked {
  std::string fields;  ///< "payload_size=5 context_id=..."
  reference::Bytes message;
};

/// "key = value" to " key=value".
std::string notation(std::string line) {
  std::erase(line, ' ');
  return " " + line;
}

/// The bytes in front of the bar.
void add_bytes(const std::string& line, reference::Bytes& message) {
  std::istringstream text(line.substr(0, line.find('|')));
  for (unsigned byte = 0; text >> std::hex >> byte;) {
    message.push_back(static_cast<std::byte>(byte));
  }
}

std::vector<Worked> worked_messages() {
  std::ifstream file(FORMAT_MD);
  REQUIRE(file);
  std::vector<Worked> all;
  std::string block;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("```")) {
      block = line.substr(3);
      if (block == "fields") all.emplace_back();
    } else if (block == "fields") {
      all.back().fields += notation(line);
    } else if (block == "hex") {
      add_bytes(line, all.back().message);
    }
  }
  return all;
}

}  // namespace

TEST_CASE("the worked messages of FORMAT.md are written and read as it says") {
  const std::vector<Worked> all = worked_messages();
  CHECK(all.size() >= 2);
  for (const Worked& worked : all) {
    CAPTURE(worked.fields);
    std::istringstream words(worked.fields);
    std::string first;
    std::string rest;
    words >> first;
    std::getline(words, rest);
    REQUIRE(first.starts_with("payload_size="));
    const std::size_t payload_size = std::stoul(first.substr(13));
    std::vector<DevicePair> map;
    const AutogradMetadata metadata = parse_fields(rest, map);
    const auto opened = gradtail::open(worked.message);
    REQUIRE(opened);
    CHECK(opened->metadata() == metadata);
    CHECK(opened->payload().size() == payload_size);
    reference::Bytes room(gradtail::max_trailer_size);
    room.resize(gradtail::write_trailer(room, metadata, payload_size).value());
    CHECK(std::ranges::equal(room, opened->trailer()));
  }
}
