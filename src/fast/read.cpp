// SPDX-License-Identifier: Apache-2.0
// The templates that aren't inlined, and calls on CPUs without a CRC instruction.
#include "fast/read.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail::fast {
namespace {

template <const Template&... templates>
std::size_t read_as_any(const Tail& tail, AutogradMetadata& m) noexcept {
  std::size_t size = 0;
  static_cast<void>(((size = read_as<templates, InstructionCrc>(tail, m)) || ...));
  return size;
}

}  // namespace

std::size_t read_rest(std::span<const std::byte> bytes, std::uint64_t before, std::size_t limit,
                      AutogradMetadata& m) noexcept {
  if (bytes.size() < footer_size) return 0;
  const Tail tail{bytes, before, limit};
  // Another version, or flags: declined at once, as the cost of a rejection is promised, too.
  if (tail.first_word >> 32 != Footer{}.first_word() >> 32) return 0;
  if (!has_crc_instruction) return read_as<forward, PortableCrc>(tail, m);
  return read_as_any<even_map, odd_map, retained, rref, cleanup>(tail, m);
}

std::size_t read_any(std::span<const std::byte> bytes, std::uint64_t before, std::size_t limit,
                     AutogradMetadata& m) noexcept {
  if (const std::size_t size = fast::read_inlined(bytes, before, limit, m)) return size;
  return fast::read_rest(bytes, before, limit, m);
}

std::size_t read_copy(std::span<const std::byte> bytes, std::span<std::byte> scratch,
                      std::size_t limit, AutogradMetadata& m) noexcept {
  if (bytes.size() < footer_size) return 0;
  const Footer footer = Footer::load(bytes.data() + bytes.size() - footer_size);
  const std::size_t size = footer.trailer_size;
  const std::size_t most = std::min({bytes.size(), scratch.size(), limit, max_trailer_size});
  if (!footer.is_current() || size < min_trailer_size || size > most) return 0;
  std::memcpy(scratch.data(), bytes.data() + bytes.size() - size, size);
  return fast::read_any(scratch.first(size), bytes.size() - size, size, m) == size ? size : 0;
}

}  // namespace detail::fast
}  // namespace GRADTAIL_ABI
}  // namespace gradtail
