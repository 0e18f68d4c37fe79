// SPDX-License-Identifier: Apache-2.0
// The templates that aren't inlined, and calls on CPUs without a CRC instruction.
#include "fast/write.hpp"

#include <functional>

#include "fast/device_map.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {
namespace detail::fast {
namespace {

/// Whether the map would be written over while it is read.
bool overlap(std::span<const DevicePair> map, std::span<const std::byte> room) noexcept {
  const std::span bytes = std::as_bytes(map);
  const std::less<> before;
  return before(bytes.data(), room.data() + room.size()) &&
         before(room.data(), bytes.data() + bytes.size());
}

std::size_t write_mapped(std::span<std::byte> room, const AutogradMetadata& m,
                         std::uint64_t payload_size) noexcept {
  const std::span map = m.device_map;
  if (!fits<even_map>(m) || overlap(map, room) || !is_valid_map(map)) return 0;
  return map.size() % 2 == 0 ? write_as<even_map, InstructionCrc>(room, m, map, payload_size)
                             : write_as<odd_map, InstructionCrc>(room, m, map, payload_size);
}

template <const Template&... templates>
std::size_t write_as_any(std::span<std::byte> room, const AutogradMetadata& m,
                         std::uint64_t payload_size) noexcept {
  std::size_t size = 0;
  static_cast<void>(
      ((fits<templates>(m) &&
        (size = write_as<templates, InstructionCrc>(room, m, {}, payload_size), true)) ||
       ...));
  return size;
}

}  // namespace

std::size_t write_rest(std::span<std::byte> room, const AutogradMetadata& m,
                       std::uint64_t payload_size) noexcept {
  if (!has_crc_instruction) {
    if (!fits<forward>(m)) return 0;
    return write_as<forward, PortableCrc>(room, m, {}, payload_size);
  }
  if (!m.device_map.empty()) return write_mapped(room, m, payload_size);
  return write_as_any<retained, rref, cleanup>(room, m, payload_size);
}

}  // namespace detail::fast
}  // namespace GRADTAIL_ABI
}  // namespace gradtail
