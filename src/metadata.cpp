// SPDX-License-Identifier: Apache-2.0
// Metadata as text, for logs.
#include "gradtail/metadata.hpp"

#include "gradtail/id.hpp"

namespace gradtail {
inline namespace v0 {
namespace {

std::string id_text(std::int64_t id) {
  if (id < 0) return std::to_string(id);
  return std::to_string(id) + " (worker " + std::to_string(id_worker(id)) + ", counter " +
         std::to_string(id_counter(id)) + ")";
}

std::string map_text(std::span<const DevicePair> map) {
  std::string text;
  for (const DevicePair& pair : map) {
    text += (text.empty() ? "" : ", ") + to_string(pair.source) + " -> " + to_string(pair.target);
  }
  return "[" + text + "]";
}

}  // namespace

std::string to_string(Device device) {
  std::string text = "device" + std::to_string(device.type);
  if (device.type == 0) text = "cpu";
  if (device.type == 1) text = "cuda";
  return device.index == -1 ? text : text + ":" + std::to_string(device.index);
}

std::string to_string(const AutogradMetadata& m) {
  std::string text;
  const auto add = [&text](const char* name, const std::string& value) {
    text += (text.empty() ? "" : ", ") + std::string(name) + ": " + value;
  };
  if (m.context_id != -1) add("context_id", id_text(m.context_id));
  if (m.message_id != -1) add("message_id", id_text(m.message_id));
  if (m.from_worker_id != -1) add("from_worker_id", std::to_string(m.from_worker_id));
  if (m.wrapped_message_type != 0) {
    add("wrapped_message_type", std::to_string(m.wrapped_message_type));
  }
  if (!m.device_map.empty()) add("device_map", map_text(m.device_map));
  if (m.retain_graph) add("retain_graph", "true");
  if (m.rref_created_on != -1) add("rref_created_on", std::to_string(m.rref_created_on));
  if (m.rref_local_id != -1) add("rref_local_id", std::to_string(m.rref_local_id));
  return "{" + text + "}";
}

}  // namespace v0
}  // namespace gradtail
