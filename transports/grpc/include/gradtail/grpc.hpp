// SPDX-License-Identifier: Apache-2.0
// gRPC's ByteBuffer: the trailer as one more slice, the payload's slices as they are.
//
//     ByteBuffer
//     +----------------+----------------+-------------+
//     | payload slice  | payload slice  | trailer     |   append adds the last one
//     +----------------+----------------+-------------+
//
//     received, cut where gRPC likes
//     +--------+--------------------+------------------+
//     | payload| ... payload        | payload | trailer|  strip keeps a part of the last one
//     +--------+--------------------+------------------+
//
// Slices are reference-counted: these functions never copy, move or read the payload. A slice of up
// to GRPC_SLICE_INLINED_SIZE bytes (23 on 64-bit machines) may hold its bytes itself. Those move
// with the slice, and keeping them in place would gain nothing.
//
// A single grpc::Slice is contiguous bytes, and a std::vector<grpc::Slice> a range of segments:
// gradtail/open.hpp and gradtail/segments.hpp take them as they are.
#pragma once

#include <grpc/slice.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>
#include <grpcpp/support/status.h>

#include <cstddef>
#include <span>
#include <vector>

#include "gradtail/error.hpp"
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

namespace detail {

// So a trailer's slice never merges with one before it.
static_assert(min_trailer_size > GRPC_SLICE_INLINED_SIZE);

/// References to the buffer's slices; none for a buffer that was never filled, where Dump fails.
inline void reference_slices(const grpc::ByteBuffer& buffer, std::vector<grpc::Slice>& slices) {
  static_cast<void>(buffer.Dump(&slices));  // which clears them first
}

/// The first `size` bytes of a slice, in the same memory; Slice::sub would copy few of them.
inline grpc::Slice first(const grpc::Slice& slice, std::size_t size) {
  return {grpc_slice_sub_no_ref(slice.c_slice(), 0, size), grpc::Slice::STEAL_REF};
}

/// Cuts slices after `size` bytes, which are there.
inline void keep_first(std::vector<grpc::Slice>& slices, std::size_t size) {
  std::size_t count = 0;
  for (; size != 0; ++count) {
    grpc::Slice& slice = slices[count];
    if (slice.size() > size) slice = detail::first(slice, size);
    size -= slice.size();
  }
  slices.resize(count);
}

}  // namespace detail

/// Appends the metadata's trailer to a buffer that holds the payload, as one more slice, and
/// returns the number of bytes appended. The payload's slices keep their memory, and other
/// ByteBuffers that share them stay as they are. A buffer that was never filled is an empty
/// payload. Errors, with the buffer unchanged: invalid (values: the field; AutogradMetadata lists
/// the ranges). Offset: the payload's size. std::bad_alloc passes through, with the buffer
/// unchanged too; where gRPC itself gets no memory, it aborts. Cost: two references for each slice.
/// Allocates the trailer and arrays of slices.
[[nodiscard]] inline Result<std::size_t> append(grpc::ByteBuffer& buffer,
                                                const AutogradMetadata& metadata) {
  const Result<Trailer> trailer = Trailer::make(metadata, buffer.Length());
  if (!trailer) return trailer.error();
  const std::span bytes = trailer->bytes();
  std::vector<grpc::Slice> slices;
  detail::reference_slices(buffer, slices);
  slices.emplace_back(bytes.data(), bytes.size());
  grpc::ByteBuffer(slices.data(), slices.size()).Swap(&buffer);
  return bytes.size();
}

/// Takes exactly one trailer, the outermost, off a received buffer, which stays as it is. `slices`
/// is filled with references to the buffer's slices, and the view borrows from it and the scratch:
/// the buffer may be cleared, refilled or destroyed, `slices` must outlive the view and not change.
/// If you reuse the same `slices` for one message after the other, this stops allocating.
/// Errors: as `open` of segments. Cost: as that, and one reference for each slice.
[[nodiscard]] inline Result<SegmentedMessageView<std::vector<grpc::Slice>::iterator>> open(
    const grpc::ByteBuffer& buffer, std::vector<grpc::Slice>& slices GRADTAIL_LIFETIMEBOUND,
    TrailerScratch& scratch GRADTAIL_LIFETIMEBOUND, Limits limits = {}) {
  detail::reference_slices(buffer, slices);
  return gradtail::open(slices, scratch, limits);
}

/// Takes exactly one trailer off a buffer, which holds the payload alone from then on. Its slices
/// keep their memory; one that the trailer begins in is cut there, and keeps the trailer's memory
/// too for as long as it lives. The view returned borrows from the scratch alone: the buffer may be
/// changed, moved or freed. A buffer with an empty payload stays valid.
/// Errors, with the buffer unchanged: as `open` of segments. std::bad_alloc passes through, with
/// the buffer unchanged too; where gRPC itself gets no memory, it aborts.
/// Cost: two references for each slice and a copy of the trailer. Allocates arrays of slices.
[[nodiscard]] inline Result<TrailerView> strip(grpc::ByteBuffer& buffer,
                                               TrailerScratch& scratch GRADTAIL_LIFETIMEBOUND,
                                               Limits limits = {}) {
  std::vector<grpc::Slice> slices;
  detail::reference_slices(buffer, slices);
  const auto message = gradtail::open_copy(slices, scratch, limits);
  if (!message) return message.error();
  detail::keep_first(slices, message->payload_size());
  grpc::ByteBuffer(slices.data(), slices.size()).Swap(&buffer);
  return Result<TrailerView>(std::in_place, *message);
}

/// gRPC's code for what the caller can do about it; UNKNOWN for a number that isn't an enumerator.
[[nodiscard]] inline grpc::StatusCode to_status_code(Code code) noexcept {
  switch (code) {
    case Code::absent:
    case Code::invalid:
      return grpc::StatusCode::INVALID_ARGUMENT;
    case Code::unsupported:
      return grpc::StatusCode::UNIMPLEMENTED;
    case Code::corrupt:
      return grpc::StatusCode::DATA_LOSS;
    case Code::too_large:
      return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case Code::no_space:
      return grpc::StatusCode::INTERNAL;
  }
  return grpc::StatusCode::UNKNOWN;
}

/// The status to end a call with that brought such a trailer: that code, and to_string(error).
/// Allocates the string.
[[nodiscard]] inline grpc::Status to_status(const Error& error) {
  return {to_status_code(error.code), to_string(error)};
}

}  // namespace GRADTAIL_ABI
}  // namespace gradtail
