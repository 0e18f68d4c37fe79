// SPDX-License-Identifier: Apache-2.0
// Every trailer_size there is, in the footer of a canonical trailer: only the right one is
// accepted.
#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <span>

#include "gradtail/open.hpp"
#include "gradtail/segments.hpp"
#include "parts.hpp"
#include "reference.hpp"

namespace sizes {
namespace {

using gradtail::Check;
using gradtail::Code;
using gradtail::Error;
using gradtail::Field;

struct Case {
  unsigned fields;  ///< as reference::fields_of has them
  std::size_t trailer_size;
  std::size_t payload_size;
};

constexpr std::size_t limit = gradtail::Limits{}.trailer_size;

/// Payloads that leave no room for a larger size, and room for more than the limit.
constexpr Case cases[] = {{0x03, 56, 0}, {0x0F, 64, 0}, {0x03, 56, 70000}, {0x0F, 64, 70000}};

constexpr std::uint64_t chunks_a_case = 256;
constexpr std::uint64_t sizes_a_chunk = (std::uint64_t{1} << 32) / chunks_a_case;

void put_size(std::byte* footer, std::uint32_t size) {
  for (unsigned i = 0; i < 4; ++i) footer[i] = static_cast<std::byte>(size >> (8 * i));
}

/// What locating must answer; nothing where it finds a trailer of that size.
std::optional<Error> expected(std::uint64_t size, std::size_t message_size) {
  const std::size_t at = message_size - 16;
  if (size > message_size || size < 32 || size % 8 != 0) {
    return Error{Code::corrupt, Check::trailer_size, Field::none, at};
  }
  if (size > limit) return Error{Code::too_large, Check::limit, Field::none, at};
  return {};
}

/// A size that is located is the right one, or else the checksum must tell.
void check_located(const Case& row, reference::Bytes& message, std::uint32_t size, Tally& tally) {
  put_size(message.data() + message.size() - 16, size);
  const auto opened = gradtail::open(message);
  tally.count(opened ? std::optional<Error>() : opened.error());
  const bool right = opened ? size == row.trailer_size
                            : size != row.trailer_size && opened.error().check == Check::checksum;
  if (!right) tally.violation("not the answer of the checksum", message);
}

/// A footer with this size is located or refused as it should be, and what is located opened.
void check_size(const Case& row, std::span<std::byte> footer, reference::Bytes& message,
                std::uint32_t size, Tally& tally) {
  put_size(footer.data(), size);
  const auto located = gradtail::detail::locate_trailer(footer, message.size(), {});
  const std::optional<Error> error = expected(size, message.size());
  if (error ? located || located.error() != *error : !located || *located != size) {
    tally.violation("located, or not, against FORMAT.md", footer);
  }
  if (located) {
    check_located(row, message, size, tally);
  } else {
    tally.count(located.error());
  }
}

}  // namespace

std::uint64_t chunks(const Options& /*unused*/) { return std::size(cases) * chunks_a_case; }

void run(const Options& /*unused*/, std::uint64_t chunk, Tally& tally) {
  const Case& row = cases[chunk / chunks_a_case];
  const auto metadata = reference::fields_of(row.fields, {});
  reference::Bytes message = reference::message_of(row.payload_size, metadata);
  std::array<std::byte, 16> footer{};
  std::copy(message.end() - 16, message.end(), footer.begin());
  const std::uint64_t first = chunk % chunks_a_case * sizes_a_chunk;
  for (std::uint64_t size = first; size < first + sizes_a_chunk; ++size) {
    check_size(row, footer, message, static_cast<std::uint32_t>(size), tally);
  }
}

}  // namespace sizes
