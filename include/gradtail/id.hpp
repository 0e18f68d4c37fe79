// SPDX-License-Identifier: Apache-2.0
// Context and message ids: 16 bits of worker, 48 bits of that worker's counter.
#pragma once

#include <atomic>
#include <cstdint>

#include "gradtail/export.hpp"
#include "gradtail/result.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {

/// Largest worker id that fits the top 16 bits of a non-negative id.
inline constexpr std::int32_t max_id_worker = 32767;

/// Last counter that may be issued, 2^48-2. As in PyTorch, 2^48-1 is never issued.
inline constexpr std::uint64_t max_id_counter = (std::uint64_t{1} << 48) - 2;

/// The id of the given worker and counter, `worker << 48 | counter`.
/// Errors (code invalid, offset 0): id_worker unless the worker is 0..32767, id_counter unless the
/// counter is 0..2^48-2.
constexpr Result<std::int64_t> compose_id(std::int32_t worker, std::uint64_t counter) noexcept {
  if (worker < 0 || worker > max_id_worker) {
    return Error{Code::invalid, Check::values, Field::id_worker};
  }
  if (counter > max_id_counter) return Error{Code::invalid, Check::values, Field::id_counter};
  return std::int64_t{worker} << 48 | static_cast<std::int64_t>(counter);
}

/// The worker that made a valid id, 0..32767; -1 for the absent id.
constexpr std::int32_t id_worker(std::int64_t id) noexcept {
  return static_cast<std::int32_t>(id >> 48);
}

/// The counter of a valid id, 0..2^48-1.
constexpr std::uint64_t id_counter(std::int64_t id) noexcept {
  return static_cast<std::uint64_t>(id) & ((std::uint64_t{1} << 48) - 1);
}

/// Makes ids for one worker, each once. Any number of threads may call `next`; no locks.
/// One generator per process: after `fork`, parent and child each have a copy, and both would give
/// the same ids. A child that makes ids needs a generator of its own, made after the fork, with a
/// worker id of its own.
class IdGenerator {
 public:
  /// A generator for `worker`, 0..32767, whose first id has the counter `first`, 0..2^48-2.
  /// Other values are reported by `next`, every time.
  explicit IdGenerator(std::int32_t worker, std::uint64_t first = 0) noexcept
      : worker_(worker), next_(first) {}

  /// An id that no other call got.
  /// Errors (code invalid): id_worker if the worker is out of range; id_counter once 2^48-2 has
  /// been issued, and from then on.
  GRADTAIL_API Result<std::int64_t> next() noexcept;

 private:
  std::int32_t worker_;
  std::atomic<std::uint64_t> next_;
};

}  // namespace GRADTAIL_ABI
}  // namespace gradtail
