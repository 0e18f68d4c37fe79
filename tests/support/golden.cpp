// SPDX-License-Identifier: Apache-2.0
// Reads golden.tsv and the messages beside it. GOLDEN_DIR comes from the build.
#include "golden.hpp"

#include <charconv>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

#include "fields.hpp"

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

template <class Number>
Number parse_number(const std::string& text) {
  Number number{};
  const char* const end = text.data() + text.size();
  const auto [parsed, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || parsed != end) throw std::runtime_error("not a number: " + text);
  return number;
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
    bool known = false;
    const auto set_scalar = [&]<gradtail::detail::ScalarField F>(const F& field) {
      if (field.name != key) return;
      m.*field.member = static_cast<std::decay_t<decltype(m.*field.member)>>(
          parse_number<typename F::Value>(value));
      known = true;
    };
    const auto set_map = [&](const gradtail::detail::DeviceMap& field) {
      if (field.name != key) return;
      parse_map(value, map);
      m.device_map = map;
      known = true;
    };
    gradtail::detail::for_each_field(gradtail::detail::Either{set_scalar, set_map});
    if (!known) throw std::runtime_error("no such field: " + key);
  }
  return m;
}
