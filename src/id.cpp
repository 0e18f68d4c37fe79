// SPDX-License-Identifier: Apache-2.0
// Hands out ids without locks and stops at the limit.
#include "gradtail/id.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {

Result<std::int64_t> IdGenerator::next() noexcept {
  std::uint64_t counter = next_.load(std::memory_order_relaxed);
  for (;;) {
    const Result<std::int64_t> id = compose_id(worker_, counter);
    if (!id || next_.compare_exchange_weak(counter, counter + 1, std::memory_order_relaxed)) {
      return id;
    }
  }
}

}  // namespace GRADTAIL_ABI
}  // namespace gradtail
