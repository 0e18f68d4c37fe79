// SPDX-License-Identifier: Apache-2.0
// Protobuf with a reused message object, which then allocates nothing, around the same footer.
// Checked by it: field types, tags, lengths. Not checked: ranges of values, unknown fields.
#include "footer.hpp"
#include "protobuf.pb.h"
#include "row.hpp"

namespace bench {
namespace {

class Protobuf {
 public:
  std::size_t write(std::span<std::byte> room, const Scalars& scalars, std::uint64_t payload) {
    written_.set_context_id(scalars.context_id);
    written_.set_message_id(scalars.message_id);
    written_.set_from_worker_id(scalars.from_worker_id);
    written_.set_wrapped_message_type(scalars.wrapped_message_type);
    const std::size_t size = written_.ByteSizeLong();
    written_.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(room.data()));
    return seal(room.data(), size, payload);
  }

  template <class Use>
  bool read(std::span<const std::byte> message, Use use) {
    const std::span<const std::byte> table = unseal(message);
    if (table.empty()) return false;
    if (!read_.ParseFromArray(table.data(), static_cast<int>(table.size()))) return false;
    use(Scalars{read_.context_id(), read_.message_id(), read_.from_worker_id(),
                read_.wrapped_message_type()},
        message.first(message.size() - table.size() - footer_size));
    return true;
  }

 private:
  proto::Metadata written_;
  proto::Metadata read_;
};

[[maybe_unused]] const bool added[] = {
    add_row<WriteRow<Protobuf>>("write/Protobuf"),
    add_row<ReadRow<Protobuf>>("read/Protobuf"),
};

}  // namespace
}  // namespace bench
