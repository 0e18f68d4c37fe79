// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "fields.hpp"
#include "gradtail/found.hpp"
#include "print.hpp"

namespace gradtail::cli {
namespace {

using Json = nlohmann::ordered_json;

/// The fields that are set.
Json json_of(const AutogradMetadata& m) {
  Json json = Json::object();
  detail::for_each_field(
      detail::Either{[&](const detail::ScalarField auto& field) {
                       if (field.is_present(m)) json[std::string(field.name)] = field.get(m);
                     },
                     [&](const detail::DeviceMap& field) {
                       for (const auto& [source, target] : m.device_map) {
                         json[std::string(field.name)].push_back(
                             {{source.type, source.index}, {target.type, target.index}});
                       }
                     }});
  return json;
}

Json json_of(const Error& error, std::span<const std::byte> message) {
  return {{"code", to_string(error.code)},     {"check", to_string(error.check)},
          {"field", to_string(error.field)},   {"offset", error.offset},
          {"text", to_string(error, message)}, {"receiver", advice(error)}};
}

Json json_of(const Part& part, std::span<const std::byte> bytes) {
  Json json{{"offset", part.offset}, {"size", part.size}, {"name", part.name}};
  if (part.kind != Kind::payload) json["bytes"] = hex_of(bytes.subspan(part.offset, part.size));
  json["meaning"] = part.meaning;
  return json;
}

Json json_of(const Anatomy& anatomy, std::span<const std::byte> bytes) {
  Json json{{"size", anatomy.size}, {"accepted", !anatomy.error}};
  if (anatomy.trailer_at) {
    json["payload_size"] = *anatomy.trailer_at;
    json["trailer_size"] = anatomy.size - *anatomy.trailer_at;
  }
  if (anatomy.error) {
    json["error"] = json_of(*anatomy.error, bytes.first(anatomy.size));
    json["hints"] = anatomy.hints;
  } else {
    json["metadata"] = json_of(anatomy.metadata);
  }
  json["parts"] = Json::array();
  for (const Part& part : anatomy.parts) json["parts"].push_back(json_of(part, bytes));
  return json;
}

}  // namespace

std::string as_json(const Subject& subject, const std::vector<Anatomy>& anatomies) {
  Json json{{"file", subject.file}, {"encoding", subject.encoding}};
  json["trailers"] = Json::array();
  for (const Anatomy& anatomy : anatomies) {
    json["trailers"].push_back(json_of(anatomy, subject.bytes));
  }
  // The name of a file may be any bytes.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace gradtail::cli
