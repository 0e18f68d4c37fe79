// SPDX-License-Identifier: Apache-2.0
// The functions by which the parser and the writer call the fast path. Without it
// (-Dfast_path=false) the library does the same, slower, and passes the same tests.
//
// The fast path has a few prebuilt canonical tables (templates.hpp) and can only accept: it never
// reports an error. What it declines, valid or not, goes to the full parser or the full writer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "gradtail/metadata.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail::fast {

#if GRADTAIL_FAST_PATH

/// Reads the trailer at the end of `tail`, the last bytes of a message that has `before` more
/// bytes, into metadata that has no field set, and returns the trailer's size. Returns 0 if it
/// declines, and then the metadata may be anything. There are three for speed: read_inlined only
/// accepts forward and backward messages, which every pass has; read_rest accepts the other
/// templates; read_any, all.
[[nodiscard]] inline std::size_t read_inlined(std::span<const std::byte> tail, std::uint64_t before,
                                              std::size_t limit,
                                              AutogradMetadata& metadata) noexcept;
[[nodiscard]] std::size_t read_rest(std::span<const std::byte> tail, std::uint64_t before,
                                    std::size_t limit, AutogradMetadata& metadata) noexcept;
[[nodiscard]] std::size_t read_any(std::span<const std::byte> tail, std::uint64_t before,
                                   std::size_t limit, AutogradMetadata& metadata) noexcept;

/// Copies the trailer at the end of a whole message to the front of the scratch, and reads the
/// copy.
[[nodiscard]] std::size_t read_copy(std::span<const std::byte> message,
                                    std::span<std::byte> scratch, std::size_t limit,
                                    AutogradMetadata& metadata) noexcept;

/// Writes the trailer and returns its size, or returns 0 with nothing written. There are three for
/// speed: one for each template that every pass has, inlined, and write_rest for the others.
[[nodiscard]] inline std::size_t write_forward(std::span<std::byte> room,
                                               const AutogradMetadata& metadata,
                                               std::uint64_t payload_size) noexcept;
[[nodiscard]] inline std::size_t write_backward(std::span<std::byte> room,
                                                const AutogradMetadata& metadata,
                                                std::uint64_t payload_size) noexcept;
[[nodiscard]] std::size_t write_rest(std::span<std::byte> room, const AutogradMetadata& metadata,
                                     std::uint64_t payload_size) noexcept;

/// The size of the trailer that write_forward or write_backward would write, or 0.
[[nodiscard]] inline std::size_t template_size(const AutogradMetadata& metadata) noexcept;

#else

inline std::size_t read_inlined(auto&&...) noexcept { return 0; }
inline std::size_t read_rest(auto&&...) noexcept { return 0; }
inline std::size_t read_any(auto&&...) noexcept { return 0; }
inline std::size_t read_copy(auto&&...) noexcept { return 0; }
inline std::size_t write_forward(auto&&...) noexcept { return 0; }
inline std::size_t write_backward(auto&&...) noexcept { return 0; }
inline std::size_t write_rest(auto&&...) noexcept { return 0; }
inline std::size_t template_size(auto&&...) noexcept { return 0; }

#endif

}  // namespace detail::fast
}  // namespace GRADTAIL_ABI
}  // namespace gradtail

#if GRADTAIL_FAST_PATH
#include "fast/read.hpp"
#include "fast/write.hpp"
#endif
