// SPDX-License-Identifier: Apache-2.0
// Checks 6 to 9 of FORMAT.md, section 6, with FlatBuffers' verifier and generated accessors.
#include "general_layout.hpp"

#include <array>
#include <cstring>

#include "autograd_metadata_generated.h"
#include "crc32c.hpp"
#include "known_layout.hpp"
#include "values.hpp"

namespace gradtail {
inline namespace v0 {
namespace detail {
namespace {

bool checksum_holds(std::span<const std::byte> trailer, std::uint64_t payload_size) noexcept {
  const std::size_t summed = trailer.size() - 8;
  const std::uint64_t crc = has_crc_instruction
                                ? crc_words<HardwareCrc>(crc_start, trailer.data(), summed)
                                : crc_words<AnyCrc>(crc_start, trailer.data(), summed);
  const auto checksum = static_cast<std::uint32_t>(~AnyCrc::step(crc, payload_size));
  return checksum == load<std::uint32_t>(trailer.data() + summed);
}

/// A verified table, in a copy that is aligned as FlatBuffers' accessors need it.
struct VerifiedTable {
  explicit VerifiedTable(const std::byte* aligned_copy) noexcept
      : copy(aligned_copy),
        typed(flatbuffers::GetRoot<fbs::AutogradMetadata>(aligned_copy)),
        untyped(flatbuffers::GetRoot<flatbuffers::Table>(aligned_copy)) {}

  [[nodiscard]] std::size_t position(const void* of) const noexcept {
    return static_cast<std::size_t>(static_cast<const std::byte*>(of) - copy);
  }
  [[nodiscard]] std::size_t position(flatbuffers::voffset_t field) const noexcept {
    return position(untyped) + untyped->GetOptionalFieldOffset(field);
  }

  const std::byte* copy;
  const fbs::AutogradMetadata* typed;
  const flatbuffers::Table* untyped;  // for what the generated accessors hide
};

AutogradMetadata metadata_of(const VerifiedTable& table, const std::byte* original) noexcept {
  const fbs::AutogradMetadata& typed = *table.typed;
  AutogradMetadata m{.context_id = typed.context_id(),
                     .message_id = typed.message_id(),
                     .from_worker_id = typed.from_worker_id(),
                     .wrapped_message_type = typed.wrapped_message_type(),
                     .retain_graph = typed.retain_graph(),
                     .rref_created_on = typed.rref_created_on(),
                     .rref_local_id = typed.rref_local_id()};
  if (const auto* map = typed.device_map(); map != nullptr && map->size() != 0) {
    m.device_map = lend_pairs(original + table.position(map->Data()), map->size());
  }
  return m;
}

/// Where the value stands in the table's buffer.
std::size_t position_of(const VerifiedTable& table, BadValue bad) noexcept {
  switch (bad.field) {
    case Field::context_id:
      return table.position(fbs::AutogradMetadata::VT_CONTEXT_ID);
    case Field::message_id:
      return table.position(fbs::AutogradMetadata::VT_MESSAGE_ID);
    case Field::from_worker_id:
      return table.position(fbs::AutogradMetadata::VT_FROM_WORKER_ID);
    case Field::retain_graph:
      return table.position(fbs::AutogradMetadata::VT_RETAIN_GRAPH);
    case Field::rref_created_on:
      return table.position(fbs::AutogradMetadata::VT_RREF_CREATED_ON);
    case Field::rref_local_id:
      return table.position(fbs::AutogradMetadata::VT_RREF_LOCAL_ID);
    case Field::device_map_size:
      return table.position(table.typed->device_map());
    default:
      return table.position(table.typed->device_map()->Data()) + 4 * bad.pair;
  }
}

/// Checks 8 and 9, on an aligned copy on the stack: the caller's bytes may lie anywhere, and the
/// generated accessors are undefined on misaligned memory.
template <std::size_t capacity>
[[gnu::noinline]] Result<AutogradMetadata> read_copy(std::span<const std::byte> trailer,
                                                     std::size_t payload_size) noexcept {
  const std::size_t size = trailer.size() - footer_size;
  alignas(8) std::array<std::byte, capacity> copy;  // NOLINT: its first `size` bytes are all used
  std::memcpy(copy.data(), trailer.data(), size);
  flatbuffers::Verifier verifier(reinterpret_cast<const std::uint8_t*>(copy.data()), size);
  if (!verifier.VerifyBuffer<fbs::AutogradMetadata>(nullptr)) {
    return Error{Code::invalid, Check::layout, Field::none, payload_size};
  }
  const VerifiedTable table(copy.data());
  const AutogradMetadata metadata = metadata_of(table, trailer.data());
  const auto retain_graph =
      table.untyped->GetField<std::uint8_t>(fbs::AutogradMetadata::VT_RETAIN_GRAPH, 0);
  if (const BadValue bad = first_bad_value(metadata, metadata.device_map, retain_graph);
      bad.field != Field::none) {
    return Error{Code::invalid, Check::values, bad.field, payload_size + position_of(table, bad)};
  }
  return metadata;
}

}  // namespace

Result<AutogradMetadata> read_general(std::span<const std::byte> trailer,
                                      std::size_t payload_size) noexcept {
  if (!checksum_holds(trailer, payload_size)) {
    return Error{Code::corrupt, Check::checksum, Field::none, payload_size + trailer.size() - 8};
  }
  if (load<std::uint32_t>(trailer.data() + 4) != identifier) {
    return Error{Code::unsupported, Check::identifier, Field::none, payload_size + 4};
  }
  constexpr std::size_t usual = Limits{}.trailer_size;
  return trailer.size() <= usual ? read_copy<usual>(trailer, payload_size)
                                 : read_copy<Limits::most>(trailer, payload_size);
}

}  // namespace detail
}  // namespace v0
}  // namespace gradtail
