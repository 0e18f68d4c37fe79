// SPDX-License-Identifier: Apache-2.0
// Metadata compared, and as text for logs.
#include "gradtail/metadata.hpp"

#include <algorithm>
#include <concepts>
#include <utility>

#include "fields.hpp"
#include "gradtail/id.hpp"
#include "gradtail/require.hpp"
#include "text.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {

bool operator==(const AutogradMetadata& a, const AutogradMetadata& b) noexcept {
  const auto scalar_differs = [&](const detail::ScalarField auto& f) {
    return f.get(a) != f.get(b);
  };
  const auto map_differs = [&](const detail::DeviceMap&) {
    return !std::equal(a.device_map.begin(), a.device_map.end(), b.device_map.begin(),
                       b.device_map.end());
  };
  return !detail::any_field(detail::Either{scalar_differs, map_differs});
}

namespace detail {
namespace {

void add_device(Text& text, Device device) {
  if (device.type == 0) text << "cpu";
  if (device.type == 1) text << "cuda";
  if (device.type != 0 && device.type != 1) text << "device" << std::int64_t{device.type};
  if (device.index != -1) text << ":" << std::int64_t{device.index};
}

void add_map(Text& text, std::span<const DevicePair> map) {
  for (std::size_t i = 0; i < map.size(); ++i) {
    text << (i == 0 ? "[" : ", ");
    detail::add_device(text, map[i].source);
    text << " -> ";
    detail::add_device(text, map[i].target);
  }
  text << "]";
}

void add_id(Text& text, std::int64_t id) {
  text << " (worker " << std::int64_t{id_worker(id)} << ", counter " << id_counter(id) << ")";
}

void add_number(Text& text, bool flag, bool /*is_id*/) {
  text << (flag ? "true" : "false");  // GCOVR_EXCL_BR_LINE: false is absent today
}
void add_number(Text& text, std::unsigned_integral auto number, bool /*is_id*/) {
  text << std::uint64_t{number};
}
void add_number(Text& text, std::signed_integral auto number, bool is_id) {
  text << std::int64_t{number};
  if (is_id && number >= 0) detail::add_id(text, number);
}

}  // namespace
}  // namespace detail

bool is_present(const AutogradMetadata& metadata, Field field) noexcept {
  const auto scalar_is = [&](const detail::ScalarField auto& f) {
    // No row is without a Field today.
    return f.error == field && field != Field::none &&  // GCOVR_EXCL_BR_LINE
           f.is_present(metadata);
  };
  const auto map_is = [&](const detail::DeviceMap& f) {
    const bool is_map = field >= Field::device_map_size && field <= Field::device_map_target;
    return is_map && f.is_present(metadata);
  };
  return detail::any_field(detail::Either{scalar_is, map_is});
}

std::string to_string(Device device) {
  detail::Text text;
  detail::add_device(text, device);
  return std::move(text.text);
}

std::string to_string(const AutogradMetadata& metadata) {
  detail::Text text{"{"};
  const auto begin = [&](const auto& f) {
    if (f.is_present(metadata)) text << (text.text.size() > 1 ? ", " : "") << f.name << ": ";
    return f.is_present(metadata);
  };
  const auto add_scalar = [&](const detail::ScalarField auto& f) {
    if (begin(f)) detail::add_number(text, f.get(metadata), f.is_id);
  };
  const auto add_device_map = [&](const detail::DeviceMap& f) {
    if (begin(f)) detail::add_map(text, metadata.device_map);
  };
  detail::for_each_field(detail::Either{add_scalar, add_device_map});
  text << "}";
  return std::move(text.text);
}

}  // namespace GRADTAIL_ABI
}  // namespace gradtail
