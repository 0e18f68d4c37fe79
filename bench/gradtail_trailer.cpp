// SPDX-License-Identifier: Apache-2.0
// Readers of a trailer that arrives apart from its payload, and of one that is copied first.
#include "gradtail_codec.hpp"

namespace bench {
namespace {

class DetachedRow {
 public:
  bool ready() { return fill(codec_, ring_); }
  [[gnu::always_inline]] bool run(std::size_t i) {
    const auto opened =
        gradtail::open_trailer(ring_.message(i).subspan(usual_payload), payload_size_);
    if (!opened) return false;
    consume(scalars_of(opened->metadata()), opened->trailer());
    return true;
  }

 private:
  Forward codec_;
  Ring ring_;
  std::uint64_t payload_size_ = usual_payload;
};

class CopyRow {
 public:
  bool ready() { return fill(codec_, ring_); }
  [[gnu::always_inline]] bool run(std::size_t i) {
    gradtail::TrailerScratch scratch;
    const auto opened = gradtail::open_copy(ring_.message(i), scratch);
    if (!opened) return false;
    consume(scalars_of(opened->metadata()), opened->payload());
    return true;
  }

 private:
  Forward codec_;
  Ring ring_;
};

[[maybe_unused]] const bool added[] = {
    add_row<DetachedRow>("read/open_trailer"),
    add_row<CopyRow>("read/open_copy"),
};

}  // namespace
}  // namespace bench
