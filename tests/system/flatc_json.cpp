// SPDX-License-Identifier: Apache-2.0
// Writes the tables of many trailers to files, with what is in them as JSON, for flatc_json.py.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "gradtail/write.hpp"
#include "reference.hpp"

namespace {

std::string json_of(const gradtail::AutogradMetadata& m) {
  std::string text;
  const auto add = [&](const char* key, const std::string& value) {
    text += (text.empty() ? "\"" : ", \"") + std::string(key) + "\": " + value;
  };
  if (m.context_id != -1) add("context_id", std::to_string(m.context_id));
  if (m.message_id != -1) add("message_id", std::to_string(m.message_id));
  if (m.from_worker_id != -1) add("from_worker_id", std::to_string(m.from_worker_id));
  if (m.wrapped_message_type != 0) {
    add("wrapped_message_type", std::to_string(m.wrapped_message_type));
  }
  if (!m.device_map.empty()) {
    const auto device = [](gradtail::Device d) {
      return "{\"type\": " + std::to_string(d.type) + ", \"index\": " + std::to_string(d.index) +
             "}";
    };
    std::string pairs;
    for (const auto& [source, target] : m.device_map) {
      pairs += (pairs.empty() ? "" : ", ") + std::string("{\"source\": ") + device(source) +
               ", \"target\": " + device(target) + "}";
    }
    add("device_map", "[" + pairs + "]");
  }
  if (m.retain_graph) add("retain_graph", "true");
  if (m.rref_created_on != -1) add("rref_created_on", std::to_string(m.rref_created_on));
  if (m.rref_local_id != -1) add("rref_local_id", std::to_string(m.rref_local_id));
  return "{" + text + "}";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: flatc_json DIRECTORY\n", stderr);
    return 2;
  }
  const std::filesystem::path directory = argv[1];
  for (const std::size_t count : {1UL, 2UL, 128UL}) {
    const auto map = reference::pairs(count);
    for (unsigned set = 0; set < 256; ++set) {
      const gradtail::AutogradMetadata metadata = reference::fields_of(set, map);
      reference::Bytes room(gradtail::max_trailer_size);
      const auto size = gradtail::write_trailer(room, metadata, 0);
      if (!size) return 1;
      const std::string name = std::to_string(set) + "_" + std::to_string(count);
      std::ofstream(directory / (name + ".bin"), std::ios::binary)
          .write(reinterpret_cast<const char*>(room.data()),
                 static_cast<std::streamsize>(*size - gradtail::footer_size));
      std::ofstream(directory / (name + ".expected")) << json_of(metadata);
    }
  }
}
