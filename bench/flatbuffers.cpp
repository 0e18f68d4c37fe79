// SPDX-License-Identifier: Apache-2.0
// FlatBuffers by hand: a builder that is used again and a copy, Verifier and generated accessors,
// around the same footer. The bytes are gradtail's. Not checked: ranges of values, retain_graph,
// device maps.
#include <cstring>

#include "autograd_metadata_generated.h"
#include "footer.hpp"
#include "row.hpp"

namespace bench {
namespace {

namespace fbs = gradtail::fbs;

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

class ByHand {
 public:
  std::size_t write(std::span<std::byte> room, const Scalars& s, std::uint64_t payload) {
    builder_.Clear();
    fbs::FinishAutogradMetadataBuffer(
        builder_, fbs::CreateAutogradMetadata(builder_, s.context_id, s.message_id,
                                              s.from_worker_id, s.wrapped_message_type));
    const std::size_t size = builder_.GetSize();
    std::memcpy(room.data(), builder_.GetBufferPointer(), size);
    return seal(room.data(), size, payload);
  }

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

 private:
  flatbuffers::FlatBufferBuilder builder_;
};

[[maybe_unused]] const bool added[] = {
    add_row<WriteRow<ByHand>>("write/FlatBufferBuilder, reused"),
    add_row<ReadRow<ByHand>>("read/FlatBuffers Verifier"),
};

}  // namespace
}  // namespace bench
