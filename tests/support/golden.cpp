// SPDX-License-Identifier: Apache-2.0
// Reads golden.tsv and the messages beside it. GOLDEN_DIR comes from the build.
#include "golden.hpp"

#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

namespace {

reference::Bytes read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("can't read " + path);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  return {bytes, bytes + text.size()};
}

gradtail::Device parse_device(std::istream& text) {
  int type = 0;
  int index = 0;
  char colon = 0;
  text >> type >> colon >> index;
  return {static_cast<std::int8_t>(type), static_cast<std::int8_t>(index)};
}

void parse_map(const std::string& value, std::vector<gradtail::DevicePair>& map) {
  std::istringstream text(value);
  map.clear();
  do {
    gradtail::DevicePair pair;
    pair.source = parse_device(text);
    text.get();
    pair.target = parse_device(text);
    map.push_back(pair);
  } while (text.get() == ',');
}

std::vector<Golden> load() {
  const std::string directory = GOLDEN_DIR;
  std::ifstream table(directory + "/golden.tsv");
  if (!table) throw std::runtime_error("can't read " + directory + "/golden.tsv");
  std::vector<Golden> all;
  std::string line;
  std::getline(table, line);
  while (std::getline(table, line)) {
    std::istringstream columns(line);
    Golden golden;
    std::string canonical;
    std::string sha256;
    columns >> golden.name >> canonical >> golden.payload_size >> golden.trailer_size >> sha256;
    columns.get();
    std::getline(columns, golden.fields);
    golden.canonical = canonical == "yes";
    golden.message = read_file(directory + "/" + golden.name + ".bin");
    all.push_back(golden);
  }
  return all;
}

}  // namespace

const std::vector<Golden>& load_golden() {
  static const std::vector<Golden> all = load();
  return all;
}

gradtail::AutogradMetadata parse_fields(const std::string& fields,
                                        std::vector<gradtail::DevicePair>& map) {
  gradtail::AutogradMetadata m;
  std::istringstream words(fields);
  for (std::string word; words >> word;) {
    const std::size_t equals = word.find('=');
    const std::string key = word.substr(0, equals);
    const std::string value = word.substr(equals + 1);
    if (key == "device_map") {
      parse_map(value, map);
      m.device_map = map;
      continue;
    }
    const long long number = std::stoll(value);
    if (key == "context_id")
      m.context_id = number;
    else if (key == "message_id")
      m.message_id = number;
    else if (key == "from_worker_id")
      m.from_worker_id = static_cast<std::int32_t>(number);
    else if (key == "wrapped_message_type")
      m.wrapped_message_type = static_cast<std::uint32_t>(number);
    else if (key == "retain_graph")
      m.retain_graph = number != 0;
    else if (key == "rref_created_on")
      m.rref_created_on = static_cast<std::int32_t>(number);
    else if (key == "rref_local_id")
      m.rref_local_id = number;
    else
      throw std::runtime_error("no such field: " + key);
  }
  return m;
}
