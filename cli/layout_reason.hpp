// SPDX-License-Identifier: Apache-2.0
// Why a table's layout isn't valid, in words. The library only says that it isn't.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace gradtail::cli {

/// The first rule of FORMAT.md, section 5, that the table breaks, with positions in the message,
/// where the table is at `base`. Empty if locate() finds the fields.
[[nodiscard]] std::string layout_reason(std::span<const std::byte> table, std::size_t base);

}  // namespace gradtail::cli
