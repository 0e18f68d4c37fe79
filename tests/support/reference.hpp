// SPDX-License-Identifier: Apache-2.0
// What the tests hold the library to: trailers made by FlatBufferBuilder, and metadata to put
// there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "fields.hpp"
#include "gradtail/metadata.hpp"
#include "gradtail/open.hpp"
#include "layout.hpp"

namespace reference {

using Bytes = std::vector<std::byte>;

/// CRC-32C, a bit at a time.
std::uint32_t crc32c(std::span<const std::byte> bytes);

/// The number of `size` bytes at `at`, little-endian.
std::uint64_t number(std::span<const std::byte> bytes, std::size_t at, std::size_t size);

/// The checksum that this trailer ought to have behind a payload of that size.
std::uint32_t checksum_of(std::span<const std::byte> trailer, std::uint64_t payload_size);

/// A trailer around any table, with a checksum that holds. The table's size is padded to 8.
Bytes trailer_around(Bytes table, std::uint64_t payload_size);

/// Recomputes the checksum of the trailer at the end of a message, as trailer_size has it.
void mend_checksum(Bytes& message);

/// The table that generated CreateAutogradMetadata builds.
Bytes table_of(const gradtail::AutogradMetadata& metadata);

/// The trailer around it.
Bytes trailer_of(const gradtail::AutogradMetadata& metadata, std::uint64_t payload_size);

/// `count` device pairs, ascending by source, each target once.
std::vector<gradtail::DevicePair> pairs(std::size_t count);

/// The fields in the set, with values that differ in every byte.
gradtail::AutogradMetadata fields_of(gradtail::detail::FieldSet set,
                                     std::span<const gradtail::DevicePair> map);

/// Metadata with one value that the schema doesn't allow, and the field of its error.
struct Invalid {
  gradtail::Field field;
  gradtail::AutogradMetadata metadata;
};

/// One for each field of an error, but for retain_graph, whose values are all allowed.
std::span<const Invalid> invalid_metadata();

/// Bytes that are not zero and no trailer.
Bytes payload_of(std::size_t size);

/// Appends the trailer for a payload of that size, by default the message's own.
void add_trailer(Bytes& message, const gradtail::AutogradMetadata& metadata);
void add_trailer(Bytes& message, const gradtail::AutogradMetadata& metadata,
                 std::uint64_t payload_size);

/// Payload and trailer.
Bytes message_of(std::size_t payload_size, const gradtail::AutogradMetadata& metadata);

/// Two device pairs that stay.
inline constexpr gradtail::DevicePair two_pairs[] = {{{0, -1}, {1, 0}}, {{1, 0}, {1, 1}}};

/// The four forward fields.
inline constexpr gradtail::AutogradMetadata forward{.context_id = (std::int64_t{1} << 48) + 5,
                                                    .message_id = (std::int64_t{1} << 48) + 9,
                                                    .from_worker_id = 1,
                                                    .wrapped_message_type = 0x100};

/// The same with a device map.
inline constexpr gradtail::AutogradMetadata mapped{.context_id = forward.context_id,
                                                   .message_id = forward.message_id,
                                                   .from_worker_id = forward.from_worker_id,
                                                   .wrapped_message_type = 0x100,
                                                   .device_map = two_pairs};

/// Every field.
inline const gradtail::AutogradMetadata full = fields_of(gradtail::detail::all_fields, two_pairs);

/// All sets of fields, to be iterated over.
inline constexpr auto all_sets = [] {
  std::array<gradtail::detail::FieldSet, gradtail::detail::all_fields + 1> sets{};
  for (std::size_t i = 0; i < sets.size(); ++i) {
    sets[i] = static_cast<gradtail::detail::FieldSet>(i);
  }
  return sets;
}();
static_assert(all_sets.size() == std::size_t{1} << gradtail::detail::field_count);

/// The sets of a few fields that tests name.
inline constexpr gradtail::detail::FieldSet map_only =
    gradtail::detail::set_of(&gradtail::AutogradMetadata::device_map);
inline constexpr gradtail::detail::FieldSet forward_set = gradtail::detail::present_fields(forward);
inline constexpr gradtail::detail::FieldSet mapped_set = gradtail::detail::present_fields(mapped);

/// What the full parser, without the fast path, makes of a trailer.
inline gradtail::Result<gradtail::TrailerView> parse(std::span<const std::byte> trailer,
                                                     std::uint64_t payload_size) {
  gradtail::TrailerView view;
  const gradtail::detail::Message message{
      .last = trailer, .size = trailer.size(), .detached_payload_size = payload_size};
  const gradtail::Limits no_limit{gradtail::Limits::most};
  const auto error = gradtail::detail::Parser::parse(message, {}, no_limit, view);
  if (error != gradtail::detail::no_error) return error;
  return view;
}

}  // namespace reference
