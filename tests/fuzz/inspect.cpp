// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the program gradtail, on messages and on text that may stand for one.
#include "anatomy.hpp"
#include "failure.hpp"
#include "fuzz.hpp"
#include "layout_reason.hpp"
#include "locate.hpp"
#include "print.hpp"
#include "text_input.hpp"

namespace {

using gradtail::cli::Anatomy;
using gradtail::cli::Part;

void decode(std::string_view text) {
  for (const auto from : {gradtail::cli::from_hex, gradtail::cli::from_base64}) {
    try {
      fuzz::require(from(text).size() <= (std::size_t{64} << 20) + text.size(),
                    "a size is bounded");
    } catch (const gradtail::cli::Failure& failure) {
      fuzz::require(*failure.what() != '\0', "a failure is a sentence");
    }
  }
}

void check_parts(const Anatomy& anatomy, std::size_t size) {
  std::size_t end = 0;
  for (const Part& part : anatomy.parts) {
    fuzz::require(part.offset <= end, "there is no gap between parts");
    fuzz::require(part.size <= size && part.offset <= size - part.size, "a part is in the message");
    end = std::max(end, part.offset + part.size);
  }
  fuzz::require(end == size, "parts are all of the message");
}

void check_reason(std::span<const std::byte> bytes, const Anatomy& anatomy) {
  if (!anatomy.trailer_at || anatomy.size - *anatomy.trailer_at > gradtail::Limits::most) return;
  const auto table = bytes.subspan(*anatomy.trailer_at,
                                   anatomy.size - *anatomy.trailer_at - gradtail::footer_size);
  if (gradtail::cli::number_at(table, 4, 4) != 0x444D4741) return;
  fuzz::require(
      gradtail::cli::locate(table).has_value() == gradtail::cli::layout_reason(table, 0).empty(),
      "there is a reason if and only if the layout isn't valid");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const auto choice = input.take<std::uint8_t>();
  if (choice % 4 == 0) {
    decode({reinterpret_cast<const char*>(input.rest().data()), input.rest().size()});
    return 0;
  }
  const bool is_detached = choice % 4 == 1;
  const fuzz::Placed message(fuzz::message_of(input), choice / 4U % 16U);
  const auto bytes = message.bytes();
  std::optional<std::uint64_t> payload_size;
  if (is_detached) payload_size = choice / 4U;
  const Anatomy anatomy = gradtail::cli::dissect(bytes, payload_size, {});
  check_parts(anatomy, bytes.size());
  check_reason(bytes, anatomy);
  const gradtail::cli::Subject subject{"-", "raw", bytes};
  fuzz::require(!gradtail::cli::as_text(subject, anatomy, choice >= 128).empty(), "there is text");
  fuzz::require(!gradtail::cli::as_json(subject, {anatomy}).empty(), "there is JSON");
  return 0;
}
