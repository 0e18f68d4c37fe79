// SPDX-License-Identifier: Apache-2.0
// msgpack as an array, packed right into the message, around the same footer.
// Checked by it: types, lengths, that numbers fit their fields. Not checked: ranges, bytes behind.
#include <cstring>
#include <msgpack.hpp>

#include "footer.hpp"
#include "row.hpp"

namespace bench {
namespace {

/// What msgpack calls a stream: memory that is there.
struct Room {
  std::byte* at;
  void write(const char* from, std::size_t size) {
    std::memcpy(at, from, size);
    at += size;
  }
};

class Msgpack {
 public:
  static std::size_t write(std::span<std::byte> room, const Scalars& scalars,
                           std::uint64_t payload) {
    Room stream{room.data()};
    msgpack::packer<Room> packer(stream);
    packer.pack_array(4);
    packer.pack(scalars.context_id).pack(scalars.message_id);
    packer.pack(scalars.from_worker_id).pack(scalars.wrapped_message_type);
    return seal(room.data(), static_cast<std::size_t>(stream.at - room.data()), payload);
  }

  /// The zone is kept: it allocates once.
  template <class Use>
  bool read(std::span<const std::byte> message, Use use) {
    const std::span<const std::byte> table = unseal(message);
    if (table.empty()) return false;
    zone_.clear();
    const msgpack::object object =
        msgpack::unpack(zone_, reinterpret_cast<const char*>(table.data()), table.size());
    if (object.type != msgpack::type::ARRAY || object.via.array.size < 4) return false;
    const msgpack::object* fields = object.via.array.ptr;
    use(Scalars{fields[0].as<std::int64_t>(), fields[1].as<std::int64_t>(),
                fields[2].as<std::int32_t>(), fields[3].as<std::uint32_t>()},
        message.first(message.size() - table.size() - footer_size));
    return true;
  }

 private:
  msgpack::zone zone_;
};

[[maybe_unused]] const bool added[] = {
    add_row<WriteRow<Msgpack>>("write/msgpack"),
    add_row<ReadRow<Msgpack>>("read/msgpack"),
};

}  // namespace
}  // namespace bench
