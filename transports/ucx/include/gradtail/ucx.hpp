// SPDX-License-Identifier: Apache-2.0
// UCX active messages: the trailer as the header, so that metadata arrives before the payload.
//
//     active message
//     +---------------------+   +-------------------------------------------+
//     | header: the trailer |   | data: the payload                         |
//     +---------------------+   +-------------------------------------------+
//     comes with the message    comes with it (eager), or stays with the sender until the receiver
//                               has said where it goes (rendezvous)
//
// The payload is never read, so it may be GPU memory. The peer may use any version of UCX, and
// needs no gradtail to see the header's bytes.
#pragma once

#include <ucp/api/ucp.h>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <ranges>
#include <span>

#include "gradtail/bytes.hpp"
#include "gradtail/export.hpp"
#include "gradtail/metadata.hpp"
#include "gradtail/open.hpp"
#include "gradtail/result.hpp"
#include "gradtail/scratch.hpp"
#include "gradtail/trailer.hpp"
#include "gradtail/wire.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {

namespace detail {

/// Sends `count` elements of the datatype in `param`, which together have `payload_size` bytes.
[[nodiscard]] inline Result<ucs_status_ptr_t> send_active_message(
    ucp_ep_h endpoint, unsigned id, const AutogradMetadata& metadata, std::uint64_t payload_size,
    const void* data, std::size_t count, Trailer& trailer, const ucp_request_param_t& param) {
  const Result<Trailer> made = Trailer::make(metadata, payload_size);
  if (!made) return made.error();
  trailer = *made;
  const std::span<const std::byte> header = trailer.bytes();
  return ucp_am_send_nbx(endpoint, id, header.data(), header.size(), data, count, &param);
}

}  // namespace detail

/// A contiguous range of pieces for UCX to gather, which outlives the expression.
template <class R>
concept BorrowedPieces = std::ranges::contiguous_range<R> && std::ranges::borrowed_range<R> &&
    std::same_as<std::ranges::range_value_t<R>, ucp_dt_iov_t>;

/// Sends the payload as an active message whose header is the metadata's trailer, by
/// ucp_am_send_nbx, and returns what that returns: null if the send is complete, a request if it
/// isn't yet, or a status that UCS_PTR_IS_ERR tells from both. The payload may be device memory.
/// `param` is UCX's: the callback, its user data, flags, the memory type; no datatype.
/// Lifetime: payload and `trailer` must stay unchanged and in place until the send is complete.
/// With UCP_AM_SEND_FLAG_COPY_HEADER in `param.flags` (UCX 1.14 and newer, at build time and run
/// time) `trailer` may go when this function returns. Errors, with nothing sent: invalid (values:
/// the field; AutogradMetadata lists the ranges). Offset: the payload's size. Cost: as
/// Trailer::make, and UCX's own. No allocation of gradtail's.
template <BorrowedBytes R>
[[nodiscard]] Result<ucs_status_ptr_t> send(ucp_ep_h endpoint, unsigned id, R&& payload,
                                            const AutogradMetadata& metadata, Trailer& trailer,
                                            const ucp_request_param_t& param) {
  const std::span<const std::byte> bytes = detail::readable(payload);
  return detail::send_active_message(endpoint, id, metadata, bytes.size(), bytes.data(),
                                     bytes.size(), trailer, param);
}

/// The same for a payload in pieces, which UCX gathers. Lifetime: the array of pieces must also
/// stay until the send is complete.
template <BorrowedPieces R>
[[nodiscard]] Result<ucs_status_ptr_t> send(ucp_ep_h endpoint, unsigned id, R&& pieces,
                                            const AutogradMetadata& metadata, Trailer& trailer,
                                            ucp_request_param_t param) {
  const std::span<const ucp_dt_iov_t> gathered(pieces);
  std::uint64_t payload_size = 0;
  for (const ucp_dt_iov_t& piece : gathered) payload_size += piece.length;
  param.op_attr_mask |= UCP_OP_ATTR_FIELD_DATATYPE;
  param.datatype = UCP_DATATYPE_IOV;
  return detail::send_active_message(endpoint, id, metadata, payload_size, gathered.data(),
                                     gathered.size(), trailer, param);
}

/// An active message whose header has passed every check, for use in its receive handler. The
/// metadata and `trailer()` borrow only from the scratch; the payload is UCX's. Cheap to copy.
class ActiveMessage : public TrailerView {
 public:
  /// Bytes of the payload, wherever it is.
  [[nodiscard]] std::size_t payload_size() const noexcept { return length_; }

  /// Whether the payload is still with the sender (rendezvous).
  [[nodiscard]] bool is_remote() const noexcept {
    return (attributes_ & UCP_AM_RECV_ATTR_FLAG_RNDV) != 0;
  }

  /// The payload in UCX's memory, valid until the handler returns; empty while it is remote. To
  /// keep it longer, use UCX's own UCP_AM_RECV_ATTR_FLAG_DATA and ucp_am_data_release.
  [[nodiscard]] std::span<const std::byte> payload() const noexcept {
    if (is_remote()) return {};
    return {static_cast<const std::byte*>(data_), length_};
  }

  /// Puts the payload into the first payload_size() bytes of `memory`, wherever it is now. Call
  /// this in the handler, at most once. Returns what ucp_am_recv_data_nbx returns: null if the
  /// payload is there, a request if it is under way, or an error, also if the peer is gone.
  /// UCS_ERR_BUFFER_TOO_SMALL, with nothing received, if `memory` has fewer bytes.
  /// `param` is UCX's; no datatype. `memory` may be device memory if the handler was registered
  /// with UCP_AM_FLAG_PERSISTENT_DATA: without it, only the CPU can copy eager data.
  [[nodiscard]] ucs_status_ptr_t receive(ucp_worker_h worker, std::span<std::byte> memory,
                                         const ucp_request_param_t& param) const {
    if (memory.size() < length_) return UCS_STATUS_PTR(UCS_ERR_BUFFER_TOO_SMALL);
    constexpr std::uint64_t receivable = UCP_AM_RECV_ATTR_FLAG_RNDV | UCP_AM_RECV_ATTR_FLAG_DATA;
    if ((attributes_ & receivable) != 0) {
      return ucp_am_recv_data_nbx(worker, data_, memory.data(), length_, &param);
    }
    const std::span<const std::byte> bytes = payload();
    std::copy(bytes.begin(), bytes.end(), memory.begin());
    return nullptr;
  }

 private:
  friend Result<ActiveMessage> open(const void*, std::size_t, void*, std::size_t,
                                    const ucp_am_recv_param_t&, TrailerScratch&, Limits) noexcept;

  ActiveMessage(const TrailerView& header, void* data, std::size_t length,
                std::uint64_t attributes) noexcept
      : TrailerView(header), data_(data), length_(length), attributes_(attributes) {}

  void* data_;
  std::size_t length_;
  std::uint64_t attributes_;
};

/// Opens an untrusted active message from the arguments of its receive handler
/// (ucp_am_recv_callback_t). The header is copied into the scratch before it is checked, so the
/// view's metadata outlives the handler, and a peer that still writes to shared memory can't change
/// what was checked. A header larger than the scratch is refused.
/// Errors: as open_trailer, with offsets in the header. A missing header is absent.
/// After an error, let the handler return `refusal(param)`; the endpoint stays usable.
/// Cost: as open_trailer, and a copy of the header. No allocation.
[[nodiscard]] inline Result<ActiveMessage> open(const void* header, std::size_t header_length,
                                                void* data, std::size_t length,
                                                const ucp_am_recv_param_t& param,
                                                TrailerScratch& scratch GRADTAIL_LIFETIMEBOUND,
                                                Limits limits = {}) noexcept {
  std::span bytes(static_cast<const std::byte*>(header), header_length);
  const std::span<std::byte> memory = scratch.memory();
  limits.trailer_size = (std::min)(limits.trailer_size, memory.size());
  if (bytes.size() <= memory.size()) {  // a larger one is over the limit, and never a view
    std::copy(bytes.begin(), bytes.end(), memory.begin());
    bytes = memory.first(bytes.size());
  }
  const Result<TrailerView> opened = gradtail::open_trailer(bytes, length, limits);
  if (!opened) return opened.error();
  return ActiveMessage(*opened, data, length, param.recv_attr);
}

/// What a receive handler returns to refuse a message, or to drop its payload. If the payload is
/// still remote, the sender's request completes with UCS_ERR_REJECTED. UCX can't tell the sender of
/// an eager one.
[[nodiscard]] inline ucs_status_t refusal(const ucp_am_recv_param_t& param) noexcept {
  return (param.recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) != 0 ? UCS_ERR_REJECTED : UCS_OK;
}

}  // namespace GRADTAIL_ABI
}  // namespace gradtail
