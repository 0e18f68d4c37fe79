// SPDX-License-Identifier: Apache-2.0
// Cap'n Proto with scratch space, so that nothing is allocated, around the same footer.
// Checked by it: segment table, pointers as they are followed. Not checked: ranges of values.
#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/io.h>

#include "capnproto.capnp.h"
#include "footer.hpp"
#include "row.hpp"

namespace bench {
namespace {

class CapnProto {
 public:
  /// The builder wants zeros, and leaves zeros behind.
  std::size_t write(std::span<std::byte> room, const Scalars& scalars, std::uint64_t payload) {
    capnp::MallocMessageBuilder builder(kj::arrayPtr(scratch_.data(), scratch_.size()));
    auto root = builder.initRoot<capnproto::Metadata>();
    root.setContextId(scalars.context_id);
    root.setMessageId(scalars.message_id);
    root.setFromWorkerId(scalars.from_worker_id);
    root.setWrappedMessageType(scalars.wrapped_message_type);
    kj::ArrayOutputStream out(kj::arrayPtr(reinterpret_cast<kj::byte*>(room.data()), room.size()));
    capnp::writeMessage(out, builder);
    return seal(room.data(), out.getArray().size(), payload);
  }

  /// The message has to be aligned to 8 bytes, as these are.
  template <class Use>
  static bool read(std::span<const std::byte> message, Use use) {
    const std::span<const std::byte> table = unseal(message);
    if (table.empty()) return false;
    capnp::FlatArrayMessageReader reader(kj::arrayPtr(
        reinterpret_cast<const capnp::word*>(table.data()), table.size() / sizeof(capnp::word)));
    const auto root = reader.getRoot<capnproto::Metadata>();
    use(Scalars{root.getContextId(), root.getMessageId(), root.getFromWorkerId(),
                root.getWrappedMessageType()},
        message.first(message.size() - table.size() - footer_size));
    return true;
  }

 private:
  std::array<capnp::word, 32> scratch_{};
};

[[maybe_unused]] const bool added[] = {
    add_row<WriteRow<CapnProto>>("write/Cap'n Proto"),
    add_row<ReadRow<CapnProto>>("read/Cap'n Proto"),
};

}  // namespace
}  // namespace bench
