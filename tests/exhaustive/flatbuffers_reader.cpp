// SPDX-License-Identifier: Apache-2.0
// Verifier and generated accessors, on a copy that is aligned as they need it.
#include "flatbuffers_reader.hpp"

#include <array>
#include <cstring>

#include "autograd_metadata_generated.h"
#include "gradtail/wire.hpp"

namespace flatbuffers_reader {
namespace {

namespace fbs = gradtail::fbs;

struct alignas(8) Copy {
  explicit Copy(plain::Bytes table) { std::memcpy(bytes.data(), table.data(), table.size()); }

  [[nodiscard]] const fbs::AutogradMetadata& root() const {
    return *fbs::GetAutogradMetadata(bytes.data());
  }

  std::array<std::byte, 4096> bytes;  // NOLINT: the table's bytes are all that is read
};

bool verifies(const Copy& copy, std::size_t size) {
  flatbuffers::Verifier verifier(reinterpret_cast<const std::uint8_t*>(copy.bytes.data()), size);
  return fbs::VerifyAutogradMetadataBuffer(verifier);
}

}  // namespace

std::optional<plain::Fields> read(plain::Bytes table) {
  const Copy copy(table);
  if (!verifies(copy, table.size())) return {};
  const fbs::AutogradMetadata& root = copy.root();
  plain::Fields fields{.context_id = root.context_id(),
                       .message_id = root.message_id(),
                       .from_worker_id = root.from_worker_id(),
                       .wrapped_message_type = root.wrapped_message_type(),
                       .retain_graph = root.retain_graph(),
                       .rref_created_on = root.rref_created_on(),
                       .rref_local_id = root.rref_local_id()};
  const auto* map = root.device_map();
  if (map == nullptr || map->size() == 0) return fields;
  fields.pair_count = map->size();
  const auto* first = reinterpret_cast<const std::byte*>(map->Data());
  fields.pairs_at = static_cast<std::size_t>(first - copy.bytes.data());
  return fields;
}

bool same_pairs(plain::Bytes table, const plain::Fields& fields) {
  const Copy copy(table);
  for (std::uint32_t i = 0; i < fields.pair_count; ++i) {
    const fbs::DevicePair& pair = *copy.root().device_map()->Get(i);
    const std::size_t at = fields.pairs_at + std::size_t{4} * i;
    if (pair.source().type() != plain::signed_byte(table, at) ||
        pair.source().index() != plain::signed_byte(table, at + 1) ||
        pair.target().type() != plain::signed_byte(table, at + 2) ||
        pair.target().index() != plain::signed_byte(table, at + 3)) {
      return false;
    }
  }
  return true;
}

}  // namespace flatbuffers_reader
