// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the fast way accepts only what the general way does, and reads the same.
#include <algorithm>
#include <array>

#include "fuzz.hpp"
#include "general_layout.hpp"
#include "gradtail/wire.hpp"
#include "gradtail/write.hpp"
#include "known_layout.hpp"

using gradtail::AutogradMetadata;
namespace detail = gradtail::detail;

namespace {

/// One of the known layouts, or of those beside them, for the input to change.
fuzz::Bytes trailer_of(fuzz::Input& input, std::uint64_t payload_size) {
  constexpr unsigned sets[] = {0x0F, 0x1F, 0x1F, 0x03, 0x23, 0xC1, 0x01, 0xFF};
  const unsigned set = sets[input.take<std::uint8_t>() % 8];
  std::array<gradtail::DevicePair, 8> map{};
  for (std::int8_t index = 0; auto& pair : map) {
    pair = {{1, index}, {2, index}};
    ++index;
  }
  AutogradMetadata m;
  if ((set & 0x01) != 0) m.context_id = 1;
  if ((set & 0x02) != 0) m.message_id = 2;
  if ((set & 0x04) != 0) m.from_worker_id = 3;
  if ((set & 0x08) != 0) m.wrapped_message_type = 4;
  if ((set & 0x10) != 0) m.device_map = std::span(map).first(1 + input.take<std::uint8_t>() % 8U);
  if ((set & 0x20) != 0) m.retain_graph = true;
  if ((set & 0x40) != 0) m.rref_created_on = 5;
  if ((set & 0x80) != 0) m.rref_local_id = 6;
  fuzz::Bytes trailer(gradtail::trailer_size(m));
  fuzz::require(gradtail::write_trailer(trailer, m, payload_size).has_value(), "it is valid");
  return trailer;
}

template <class Crc>
void check(std::span<const std::byte> trailer, std::size_t payload_size) {
  const auto general = detail::read_general(trailer, payload_size);
  gradtail::TrailerView known;
  if (!detail::read_known<Crc>({trailer, payload_size, trailer.size()}, known)) return;
  fuzz::require(general.has_value(), "what the fast way accepts the general way does");
  fuzz::require(*general == known.metadata(), "and reads the same");
  fuzz::walk(known.metadata());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const auto payload_size = input.take<std::uint8_t>();
  fuzz::Bytes trailer = trailer_of(input, payload_size);
  const std::size_t table_size = trailer.size() - gradtail::footer_size;
  while (!input.rest().empty()) {
    const std::size_t at = input.take<std::uint16_t>() % table_size;
    trailer[at] = static_cast<std::byte>(input.take<std::uint8_t>());
  }
  // The checksum is taken over a message in which only the trailer matters.
  fuzz::Bytes message(payload_size);
  message.insert(message.end(), trailer.begin(), trailer.end());
  fuzz::mend_checksum(message);
  const auto made = std::span(message).subspan(payload_size);
  const fuzz::Placed placed(made, payload_size % 16U);
  check<detail::PortableCrc>(placed.bytes(), payload_size);
  if (detail::has_crc_instruction) check<detail::HardwareCrc>(placed.bytes(), payload_size);
  return 0;
}
