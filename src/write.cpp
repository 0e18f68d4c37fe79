// SPDX-License-Identifier: Apache-2.0
// The writer: the canonical layout of FORMAT.md, section 4.
#include "gradtail/write.hpp"

#include <algorithm>
#include <cstring>

#include "fast/fast.hpp"
#include "footer.hpp"
#include "layout.hpp"
#include "validate.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail {
namespace {

static_assert(max_trailer_size == layout_of(all_fields, max_device_pairs).size + footer_size);
static_assert(min_trailer_size == layout_of(0, 0).size + footer_size);

/// The first field, in the order of the slots, whose value isn't allowed.
Field first_bad_field(const AutogradMetadata& m) noexcept {
  Field bad = Field::none;
  const auto check_scalar = [&](const ScalarField auto& f) {
    if (!f.allows(f.get(m))) bad = f.error;
    return bad != Field::none;
  };
  const auto check_map = [&](const DeviceMap&) {
    bad = first_bad_pair(m.device_map, PairOrder::any).field;
    return bad != Field::none;
  };
  detail::any_field(Either{check_scalar, check_map});
  return bad;
}

/// Stores the pairs, at least one, in wire order. Must be called before all other stores: the
/// caller's map may be in the memory that is written.
void store_pairs(std::byte* to, std::span<const DevicePair> map) noexcept {
  std::memmove(to, map.data(), map.size_bytes());
  const std::span stored{reinterpret_cast<DevicePair*>(to), map.size()};
  if (std::is_sorted(stored.begin(), stored.end(), source_before)) return;
  // Heapsort takes a third of the code of std::sort and doesn't recurse.
  std::make_heap(stored.begin(), stored.end(), source_before);
  std::sort_heap(stored.begin(), stored.end(), source_before);
}

/// Writes a trailer for which there is room. All values are allowed.
void write(std::byte* to, const Layout& layout, const AutogradMetadata& m,
           std::uint64_t payload_size) noexcept {
  const std::size_t pairs_begin = layout.map + sizeof(std::uint32_t);
  const std::size_t pairs_end = pairs_begin + m.device_map.size_bytes();
  if (layout.map == 0) {
    std::memset(to, 0, layout.size);
  } else {
    store_pairs(to + pairs_begin, m.device_map);
    std::memset(to, 0, pairs_begin);
    std::memset(to + pairs_end, 0, layout.size - pairs_end);
    detail::store(to + layout.map, static_cast<std::uint32_t>(m.device_map.size()));
  }
  store_structure(to, layout);
  const auto store_scalar = [&](const ScalarField auto& f) {
    const std::size_t at = layout.at[f.slot];
    if (at != 0) detail::store(to + at, f.wire(m));
  };
  detail::for_each_field(Either{store_scalar, do_nothing});
  Footer footer{.trailer_size = static_cast<std::uint32_t>(layout.size + footer_size)};
  footer.store(to + layout.size);  // the checksum covers its first word
  footer.checksum = checksum_of(to, footer.trailer_size, payload_size);
  footer.store(to + layout.size);
}

/// Not inlined, so that its two callers share the code: 128 bytes less (gcc 12).
[[gnu::noinline]] Layout canonical_layout(const AutogradMetadata& m) noexcept {
  return detail::layout_of(present_fields(m), m.device_map.size());
}

/// Writes any metadata whose values are allowed. Not inlined, so that only these messages pay for
/// its stack frame: otherwise, templates written by fast::write_rest take 4 instructions more.
[[gnu::noinline]] std::size_t write_valid(std::span<std::byte> room, const AutogradMetadata& m,
                                          std::uint64_t payload_size) noexcept {
  const Layout layout = detail::canonical_layout(m);
  const std::size_t size = layout.size + footer_size;
  if (room.size() < size) return 0;
  detail::write(room.data(), layout, m, payload_size);
  return size;
}

// try_write tail-calls write_backward, which tail-calls write_rest. So the two kinds of messages
// that every pass has need no stack frame, which would be a seventh of their instructions.

[[gnu::noinline]] std::size_t write_rest(std::span<std::byte> room, const AutogradMetadata& m,
                                         std::uint64_t payload_size) noexcept {
  if (const std::size_t size = fast::write_rest(room, m, payload_size)) return size;
  if (first_bad_field(m) != Field::none) return 0;
  return detail::write_valid(room, m, payload_size);
}

[[gnu::noinline]] std::size_t write_backward(std::span<std::byte> room, const AutogradMetadata& m,
                                             std::uint64_t payload_size) noexcept {
  if (const std::size_t size = fast::write_backward(room, m, payload_size)) return size;
  return detail::write_rest(room, m, payload_size);
}

}  // namespace

std::size_t try_write(std::span<std::byte> room, const AutogradMetadata& m,
                      std::uint64_t payload_size) noexcept {
  if (const std::size_t size = fast::write_forward(room, m, payload_size)) return size;
  return detail::write_backward(room, m, payload_size);
}

Error write_error(const AutogradMetadata& m, std::uint64_t payload_size) noexcept {
  const auto offset = static_cast<std::size_t>(payload_size);
  if (const Field bad = first_bad_field(m); bad != Field::none) {
    return {Code::invalid, Check::values, bad, offset};
  }
  return {Code::no_space, Check::room, Field::none, offset};
}

}  // namespace detail

std::size_t trailer_size(const AutogradMetadata& metadata) noexcept {
  if (const std::size_t size = detail::fast::template_size(metadata)) return size;
  return detail::canonical_layout(metadata).size + footer_size;
}

}  // namespace GRADTAIL_ABI
}  // namespace gradtail
