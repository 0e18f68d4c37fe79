// SPDX-License-Identifier: Apache-2.0
// Metadata compared, and as text for logs.
#include "gradtail/metadata.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "gradtail/id.hpp"

namespace gradtail {
inline namespace v0 {
namespace {

/// Appends the words of a sentence one by one: less code than sums of strings.
struct Text {
  std::string text;

  [[gnu::noinline]] Text& operator<<(std::string_view part) {
    text.append(part);
    return *this;
  }
  [[gnu::noinline]] Text& operator<<(std::int64_t number) {
    std::array<char, 24> digits;  // NOLINT: to_chars writes what is used
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    return *this << std::string_view(digits.data(), end);
  }
  Text& operator<<(Device device) {
    constexpr std::array<std::string_view, 2> names{"cpu", "cuda"};
    const std::size_t type = static_cast<std::uint8_t>(device.type);
    type < names.size() ? *this << names[type] : *this << "device" << std::int64_t{device.type};
    return device.index == -1 ? *this : *this << ":" << std::int64_t{device.index};
  }
  /// Begins the next field.
  Text& field(std::string_view name) {
    return *this << (text.size() > 1 ? ", " : "") << name << ": ";
  }
  void id(std::string_view name, std::int64_t id) {
    if (id == -1) return;
    field(name) << id;
    if (id < 0) return;
    *this << " (worker " << std::int64_t{id_worker(id)} << ", counter "
          << static_cast<std::int64_t>(id_counter(id)) << ")";
  }
  void number(std::string_view name, std::int64_t number, std::int64_t absent) {
    if (number != absent) field(name) << number;
  }
};

}  // namespace

bool operator==(const AutogradMetadata& a, const AutogradMetadata& b) noexcept {
  return a.context_id == b.context_id && a.message_id == b.message_id &&
         a.from_worker_id == b.from_worker_id && a.wrapped_message_type == b.wrapped_message_type &&
         std::ranges::equal(a.device_map, b.device_map) && a.retain_graph == b.retain_graph &&
         a.rref_created_on == b.rref_created_on && a.rref_local_id == b.rref_local_id;
}

[[gnu::cold]] std::string to_string(Device device) {
  Text text;
  text << device;
  return std::move(text.text);
}

[[gnu::cold]] std::string to_string(const AutogradMetadata& m) {
  Text text{"{"};
  text.id("context_id", m.context_id);
  text.id("message_id", m.message_id);
  text.number("from_worker_id", m.from_worker_id, -1);
  text.number("wrapped_message_type", m.wrapped_message_type, 0);
  for (std::size_t i = 0; i < m.device_map.size(); ++i) {
    i == 0 ? text.field("device_map") << "[" : text << ", ";
    text << m.device_map[i].source << " -> " << m.device_map[i].target;
  }
  if (!m.device_map.empty()) text << "]";
  if (m.retain_graph) text.field("retain_graph") << "true";
  text.number("rref_created_on", m.rref_created_on, -1);
  text.number("rref_local_id", m.rref_local_id, -1);
  text << "}";
  return std::move(text.text);
}

}  // namespace v0
}  // namespace gradtail
