// SPDX-License-Identifier: Apache-2.0
// What the preloaded library offers to the part that knows PyTorch: the modes and the counts.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "gradtail/export.hpp"

namespace gradtail::pytorch {

/// Which forms of the metadata this process sends and takes.
enum class Mode : std::uint8_t {
  read,   ///< takes trailers and pickles, sends pickles
  write,  ///< takes trailers and pickles, sends trailers
  only,   ///< takes and sends trailers
};

/// The messages whose metadata travels in trailers. A kind that a later release adds goes last:
/// clusters turn it on by itself (`mode,KIND=mode` in GRADTAIL_PYTORCH).
enum class Kind : std::uint8_t {
  forward,        ///< RpcWithAutograd: a call and its answer
  gradients,      ///< PropagateGradientsReq
  cleanup,        ///< CleanupAutogradContextReq
  rref_backward,  ///< RRefBackwardReq
};
inline constexpr std::size_t kind_count = 4;

/// The mode of a kind, as GRADTAIL_PYTORCH says; write where it isn't set.
GRADTAIL_API Mode mode(Kind kind) noexcept;

/// What is counted, in the order of `gradtail_pytorch_counts`.
enum class Count : std::uint8_t {
  trailers_sent,
  trailers_received,
  pickles_sent,
  pickles_received,
  payloads_copied,  ///< received trailers whose message had a second holder
};
inline constexpr std::size_t count_kinds = 5;

/// In shared memory where GRADTAIL_PYTORCH_COUNTS names a file, so that forked and killed processes
/// count too.
using Counts = std::array<std::atomic<std::uint64_t>, count_kinds>;
static_assert(sizeof(Counts) == 8 * count_kinds && Counts::value_type::is_always_lock_free);

/// Counts one more of these.
GRADTAIL_API void count(Count what) noexcept;

}  // namespace gradtail::pytorch

extern "C" {
/// The five counts of `Count`, of this process or, with GRADTAIL_PYTORCH_COUNTS, of all processes
/// that share its file. Valid until the process ends.
GRADTAIL_API const std::uint64_t* gradtail_pytorch_counts() noexcept;

/// Null where the PyTorch of this process is served, else a sentence that says why it isn't. Call
/// it after PyTorch is loaded and before it is used: it sends one message of each type to itself.
GRADTAIL_API const char* gradtail_pytorch_check() noexcept;
}
