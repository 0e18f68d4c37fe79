// SPDX-License-Identifier: Apache-2.0
// Makes views: the only code that can.
#pragma once

#include <cstddef>
#include <span>

#include "gradtail/metadata.hpp"
#include "gradtail/open.hpp"

namespace gradtail {
inline namespace v0 {
namespace detail {

struct Reader {
  /// What has been read into the view. The fields are stored right where the caller gets them.
  [[nodiscard]] static AutogradMetadata& metadata(TrailerView& view) noexcept {
    return view.metadata_;
  }
  static void set_trailer(TrailerView& view, std::span<const std::byte> trailer) noexcept {
    view.trailer_ = trailer;
  }
  static void set_payload(MessageView& view, std::span<const std::byte> payload) noexcept {
    view.payload_ = payload;
  }
};

}  // namespace detail
}  // namespace v0
}  // namespace gradtail
