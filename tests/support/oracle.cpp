// SPDX-License-Identifier: Apache-2.0
// The footer by hand, the table by FlatBuffers.
#include "oracle.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <set>
#include <type_traits>
#include <vector>

#include "autograd_metadata_generated.h"
#include "fields.hpp"
#include "reference.hpp"

namespace oracle {
namespace {

namespace fbs = gradtail::fbs;
using gradtail::AutogradMetadata;
using gradtail::Check;
using gradtail::Code;
using gradtail::Error;
using gradtail::Field;
using reference::number;
using Bytes = std::span<const std::byte>;

/// A field that section 3 doesn't allow, and its position in the table.
struct BadField {
  Field field = Field::none;
  std::size_t at = 0;
};

/// A table in memory that is aligned as the generated accessors need it.
class Table {
 public:
  explicit Table(Bytes table) : original_(table), copy_(table.size() / 8) {
    std::memcpy(copy_.data(), table.data(), table.size());
  }

  [[nodiscard]] bool verifies() const {
    flatbuffers::Verifier verifier(reinterpret_cast<const std::uint8_t*>(copy_.data()),
                                   original_.size());
    return fbs::VerifyAutogradMetadataBuffer(verifier);
  }

  /// The first field in the order of section 6 whose value isn't allowed.
  [[nodiscard]] BadField first_bad_field() const {
    BadField bad;
    gradtail::detail::for_each_field(gradtail::detail::Either{
        [&]<gradtail::detail::ScalarField F>(const F& field) {
          if (bad.field != Field::none || is_allowed(field, value_of(field))) return;
          bad = {field.error, position(untyped().GetAddressOf(offset_of(field)))};
        },
        [&](const gradtail::detail::DeviceMap&) {
          if (bad.field == Field::none) bad = bad_map();
        }});
    return bad;
  }

  [[nodiscard]] AutogradMetadata metadata() const {
    AutogradMetadata m;
    gradtail::detail::for_each_field(gradtail::detail::Either{
        [&]<gradtail::detail::ScalarField F>(const F& field) {
          m.*field.member = static_cast<decltype(F::absent)>(value_of(field));
        },
        [&](const gradtail::detail::DeviceMap&) {
          const auto* map = typed().device_map();
          if (map == nullptr || map->size() == 0) return;
          const std::byte* first = original_.data() + position(map->Data());
          m.device_map = {reinterpret_cast<const gradtail::DevicePair*>(first), map->size()};
        }});
    return m;
  }

 private:
  [[nodiscard]] const fbs::AutogradMetadata& typed() const {
    return *fbs::GetAutogradMetadata(copy_.data());
  }
  [[nodiscard]] const flatbuffers::Table& untyped() const {
    return *flatbuffers::GetRoot<flatbuffers::Table>(copy_.data());
  }
  [[nodiscard]] std::size_t position(const void* of) const {
    return static_cast<std::size_t>(static_cast<const std::byte*>(of) -
                                    reinterpret_cast<const std::byte*>(copy_.data()));
  }

  [[nodiscard]] static flatbuffers::voffset_t offset_of(const auto& field) {
    return flatbuffers::FieldIndexToOffset(static_cast<flatbuffers::voffset_t>(field.slot));
  }
  /// Section 3, independently of the library's ranges: a bool is 0 or 1, and a signed number isn't
  /// below -1.
  template <gradtail::detail::ScalarField F>
  [[nodiscard]] static bool is_allowed(const F&, typename F::Value value) {
    if constexpr (std::is_same_v<decltype(F::absent), bool>) return value <= 1;
    return !std::is_signed_v<typename F::Value> || static_cast<std::int64_t>(value) >= -1;
  }
  template <gradtail::detail::ScalarField F>
  [[nodiscard]] typename F::Value value_of(const F& field) const {
    using Value = typename F::Value;
    return untyped().template GetField<Value>(offset_of(field), Value{field.absent});
  }

  [[nodiscard]] BadField bad_map() const {
    const auto* map = typed().device_map();
    if (map == nullptr) return {};
    const BadPair bad =
        bad_pair({reinterpret_cast<const gradtail::DevicePair*>(map->Data()), map->size()});
    const bool is_size = bad.field == Field::device_map_size;
    return {bad.field, is_size ? position(map) : position(map->Data()) + 4 * bad.pair};
  }

  Bytes original_;
  std::vector<std::uint64_t> copy_;
};

Answer refuse(Code code, Check check, std::size_t offset, Field field = Field::none) {
  Answer answer;
  answer.error = Error{code, check, field, offset};
  return answer;
}

/// Checks 7 to 9.
Answer read_table(Bytes bytes, std::size_t payload_size) {
  if (number(bytes, 4, 4) != 0x444D4741) {
    return refuse(Code::unsupported, Check::identifier, payload_size + 4);
  }
  const Table table(bytes);
  if (!table.verifies()) return refuse(Code::invalid, Check::layout, payload_size);
  if (const BadField bad = table.first_bad_field(); bad.field != Field::none) {
    return refuse(Code::invalid, Check::values, payload_size + bad.at, bad.field);
  }
  return {.error = {}, .payload_size = payload_size, .metadata = table.metadata()};
}

}  // namespace

Answer open(Bytes message, std::size_t limit) {
  const std::size_t n = message.size();
  if (n < 16) return refuse(Code::absent, Check::magic, 0);
  const Bytes footer = message.last(16);
  if (number(footer, 12, 4) != 0xA74C5447) return refuse(Code::absent, Check::magic, n - 4);
  if (number(footer, 4, 2) != 1) return refuse(Code::unsupported, Check::version, n - 12);
  if (number(footer, 6, 2) != 0) return refuse(Code::unsupported, Check::required_flags, n - 10);
  const auto size = static_cast<std::size_t>(number(footer, 0, 4));
  if (size > n || size < 32 || size % 8 != 0) {
    return refuse(Code::corrupt, Check::trailer_size, n - 16);
  }
  if (size > std::min(limit, gradtail::Limits::most)) {
    return refuse(Code::too_large, Check::limit, n - 16);
  }
  if (number(footer, 8, 4) != reference::checksum_of(message.last(size), n - size)) {
    return refuse(Code::corrupt, Check::checksum, n - 8);
  }
  return read_table(message.last(size).first(size - 16), n - size);
}

BadPair bad_pair(std::span<const gradtail::DevicePair> map) {
  const auto type_bad = [](gradtail::Device d) { return d.type < 0 || d.type > 63; };
  const auto index_bad = [](gradtail::Device d) { return d.index < -1; };
  const auto rank = [](gradtail::Device d) { return 1000 * d.type + d.index; };
  if (map.size() > 128) return {Field::device_map_size};
  for (std::size_t i = 0; i < map.size(); ++i) {
    const auto [source, target] = map[i];
    if (type_bad(source) || type_bad(target)) return {Field::device_map_type, i};
    if (index_bad(source) || index_bad(target)) return {Field::device_map_index, i};
    if (i != 0 && rank(map[i - 1].source) >= rank(source)) return {Field::device_map_source, i};
  }
  std::set<int> targets;
  for (std::size_t i = 0; i < map.size(); ++i) {
    if (!targets.insert(rank(map[i].target)).second) return {Field::device_map_target, i};
  }
  return {};
}

bool agrees(const gradtail::Result<gradtail::MessageView>& opened, const Answer& answer,
            Bytes message) {
  if (!opened) return answer.error == opened.error();
  if (answer.error) return false;
  const Bytes payload = message.first(answer.payload_size);
  const Bytes trailer = message.subspan(answer.payload_size);
  const auto same = [](Bytes a, Bytes b) { return a.data() == b.data() && a.size() == b.size(); };
  const auto& map = opened->metadata().device_map;
  return same(opened->payload(), payload) && same(opened->trailer(), trailer) &&
         opened->metadata() == answer.metadata &&
         (map.empty() || map.data() == answer.metadata.device_map.data());
}

}  // namespace oracle
