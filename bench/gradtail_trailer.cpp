// SPDX-License-Identifier: Apache-2.0
// Readers of a trailer that arrives apart from its payload, and of one that is copied first.
#include "gradtail_codec.hpp"

namespace bench {
namespace {

struct Detached : Forward {
  template <class Use>
  static bool read(std::span<const std::byte> message, Use use) {
    const auto opened =
        gradtail::open_trailer(message.subspan(usual_payload), std::uint64_t{usual_payload});
    if (!opened) return false;
    use(scalars_of(opened->metadata()), message.first(usual_payload));
    return true;
  }
};

struct Copied : Forward {
  template <class Use>
  static bool read(std::span<const std::byte> message, Use use) {
    gradtail::TrailerScratch scratch;
    const auto opened = gradtail::open_copy(message, scratch);
    if (!opened) return false;
    use(scalars_of(opened->metadata()), opened->payload());
    return true;
  }
};

[[maybe_unused]] const bool added[] = {
    add_row<ReadRow<Detached>>("read/open_trailer"),
    add_row<ReadRow<Copied>>("read/open_copy"),
};

}  // namespace
}  // namespace bench
