// SPDX-License-Identifier: Apache-2.0
// Trailers on TensorPipe's messages: one more payload, the last.
#pragma once

#include <tensorpipe/core/message.h>

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <ranges>
#include <span>

#include "gradtail/export.hpp"
#include "gradtail/metadata.hpp"
#include "gradtail/open.hpp"
#include "gradtail/result.hpp"
#include "gradtail/scratch.hpp"
#include "gradtail/segments.hpp"
#include "gradtail/trailer.hpp"
#include "gradtail/wire.hpp"

namespace gradtail {
inline namespace GRADTAIL_ABI {

/// Adds the metadata's trailer to the message as one more payload, and returns the number of its
/// bytes. They are in `trailer`, which must stay unchanged and in place until the callback of
/// Pipe::write has run, like the other payloads. The payloads before it together are the payload;
/// tensors don't count. Errors, with the message unchanged: invalid (values: the field;
/// AutogradMetadata lists the ranges). Offset: the payloads' size. Nothing is copied. The vector of
/// payloads may allocate, and its exceptions pass through.
[[nodiscard]] inline Result<std::size_t> append(tensorpipe::Message& message,
                                                const AutogradMetadata& metadata,
                                                Trailer& trailer) {
  std::uint64_t payload_size = 0;
  for (const tensorpipe::Message::Payload& payload : message.payloads) {
    payload_size += payload.length;
  }
  const Result<Trailer> made = Trailer::make(metadata, payload_size);
  if (!made) return made.error();
  tensorpipe::Message::Payload& last = message.payloads.emplace_back();
  trailer = *made;
  // TensorPipe only reads what is sent.
  last.data = const_cast<std::byte*>(trailer.bytes().data());
  last.length = trailer.bytes().size();
  return last.length;
}

/// The payloads of a message that was received, a segment each: the descriptor has their lengths,
/// the allocation their addresses. Borrows both.
class ReceivedPayloads {
 public:
  class Iterator {
   public:
    using value_type = std::span<const std::byte>;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    Iterator(const tensorpipe::Descriptor::Payload* described,
             const tensorpipe::Allocation::Payload* allocated)
        : described_(described), allocated_(allocated) {}

    value_type operator*() const noexcept {
      return {static_cast<const std::byte*>(allocated_->data), described_->length};
    }
    Iterator& operator++() noexcept {
      ++described_;
      ++allocated_;
      return *this;
    }
    Iterator operator++(int) noexcept {
      Iterator before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(const Iterator&, const Iterator&) = default;

   private:
    const tensorpipe::Descriptor::Payload* described_ = nullptr;
    const tensorpipe::Allocation::Payload* allocated_ = nullptr;
  };

  /// The two belong together: as many payloads in one as in the other.
  ReceivedPayloads(const tensorpipe::Descriptor& descriptor,
                   const tensorpipe::Allocation& allocation) noexcept
      : first_(descriptor.payloads.data(), allocation.payloads.data()),
        last_(descriptor.payloads.data() + descriptor.payloads.size(),
              allocation.payloads.data() + allocation.payloads.size()) {
    assert(descriptor.payloads.size() == allocation.payloads.size());
  }

  [[nodiscard]] Iterator begin() const noexcept { return first_; }
  [[nodiscard]] Iterator end() const noexcept { return last_; }

 private:
  Iterator first_;
  Iterator last_;
};

}  // namespace GRADTAIL_ABI
}  // namespace gradtail

/// Its iterators outlive it.
template <>
inline constexpr bool std::ranges::enable_borrowed_range<gradtail::ReceivedPayloads> = true;

namespace gradtail {
inline namespace GRADTAIL_ABI {

/// Opens a message that Pipe::read has read into the allocation. The view's payload is all payloads
/// before the trailer, in order, wherever the sender cut them. It borrows from the allocation's
/// memory, from both vectors of payloads and, if the trailer straddles payloads, from the scratch.
/// Errors, cost and promises: as `open` of segments.
[[nodiscard]] inline Result<SegmentedMessageView<ReceivedPayloads::Iterator>> open(
    const tensorpipe::Descriptor& descriptor GRADTAIL_LIFETIMEBOUND,
    const tensorpipe::Allocation& allocation GRADTAIL_LIFETIMEBOUND,
    TrailerScratch& scratch GRADTAIL_LIFETIMEBOUND, Limits limits = {}) {
  const ReceivedPayloads payloads(descriptor, allocation);
  return gradtail::open(payloads, scratch, limits);
}

/// Deleted: a view into temporary vectors of payloads would dangle.
void open(const tensorpipe::Descriptor&& descriptor, const tensorpipe::Allocation& allocation,
          TrailerScratch& scratch, Limits limits = {}) = delete;
void open(const tensorpipe::Descriptor& descriptor, const tensorpipe::Allocation&& allocation,
          TrailerScratch& scratch, Limits limits = {}) = delete;

}  // namespace GRADTAIL_ABI
}  // namespace gradtail
