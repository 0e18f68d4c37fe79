// SPDX-License-Identifier: Apache-2.0
// FlatBuffers by hand: builder and copy, Verifier and generated accessors, around the same footer.
// The bytes are gradtail's. Not checked: ranges of values, retain_graph, device maps.
#include <cstring>

#include "autograd_metadata_generated.h"
#include "footer.hpp"
#include "row.hpp"

namespace bench {
namespace {

namespace fbs = gradtail::fbs;

std::size_t build(flatbuffers::FlatBufferBuilder& builder, std::span<std::byte> room,
                  const Scalars& s, std::uint64_t payload) {
  fbs::FinishAutogradMetadataBuffer(
      builder, fbs::CreateAutogradMetadata(builder, s.context_id, s.message_id, s.from_worker_id,
                                           s.wrapped_message_type));
  const std::size_t size = builder.GetSize();
  std::memcpy(room.data(), builder.GetBufferPointer(), size);
  return seal(room.data(), size, payload);
}

/// Accessors need aligned memory. Messages mostly are aligned; others are copied.
class Aligned {
 public:
  explicit Aligned(std::span<const std::byte> table) : data_(table.data()) {
    if (reinterpret_cast<std::uintptr_t>(data_) % 8 == 0) return;
    std::memcpy(copy_, table.data(), table.size());
    data_ = copy_;
  }
  Aligned(const Aligned&) = delete;
  Aligned& operator=(const Aligned&) = delete;
  [[nodiscard]] const std::uint8_t* data() const {
    return reinterpret_cast<const std::uint8_t*>(data_);
  }

 private:
  const std::byte* data_;
  alignas(8) std::byte copy_[4096];
};

struct Reader {
  template <class Use>
  static bool read(std::span<const std::byte> message, Use use) {
    const std::span<const std::byte> table = unseal(message);
    const Aligned aligned(table);
    flatbuffers::Verifier verifier(aligned.data(), table.size(), 2, 1);
    if (!fbs::VerifyAutogradMetadataBuffer(verifier)) return false;
    const auto* root = fbs::GetAutogradMetadata(aligned.data());
    use(Scalars{root->context_id(), root->message_id(), root->from_worker_id(),
                root->wrapped_message_type()},
        message.first(message.size() - table.size() - footer_size));
    return true;
  }
};

struct Fresh : Reader {
  static std::size_t write(std::span<std::byte> room, const Scalars& scalars,
                           std::uint64_t payload) {
    flatbuffers::FlatBufferBuilder builder;
    return build(builder, room, scalars, payload);
  }
};

struct Reused : Reader {
  std::size_t write(std::span<std::byte> room, const Scalars& scalars, std::uint64_t payload) {
    builder_.Clear();
    return build(builder_, room, scalars, payload);
  }

 private:
  flatbuffers::FlatBufferBuilder builder_;
};

[[maybe_unused]] const bool added[] = {
    add_row<WriteRow<Fresh>>("write/FlatBufferBuilder, fresh"),
    add_row<WriteRow<Reused>>("write/FlatBufferBuilder, reused"),
    add_row<ReadRow<Reused>>("read/FlatBuffers Verifier"),
};

}  // namespace
}  // namespace bench
