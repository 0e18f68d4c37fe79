// SPDX-License-Identifier: Apache-2.0
// gRPC's buffers made of the tests' bytes, and back.
#pragma once

#include <doctest/doctest.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <span>
#include <vector>

#include "reference.hpp"

namespace grpc_buffers {

using Slices = std::vector<grpc::Slice>;
using reference::Bytes;

inline grpc::Slice slice_of(std::span<const std::byte> bytes) {
  return {bytes.data(), bytes.size()};
}

/// A slice of memory that stays the caller's.
inline grpc::Slice lent(std::span<std::byte> bytes) {
  return {bytes.data(), bytes.size(), [](void*) {}};
}

/// The bytes between the cuts, which ascend, in a slice each.
inline grpc::ByteBuffer cut(std::span<const std::byte> bytes, std::span<const std::size_t> cuts) {
  Slices slices;
  std::size_t from = 0;
  for (const std::size_t at : cuts) {
    slices.push_back(slice_of(bytes.subspan(from, at - from)));
    from = at;
  }
  slices.push_back(slice_of(bytes.subspan(from)));
  return {slices.data(), slices.size()};
}

inline grpc::ByteBuffer whole(std::span<const std::byte> bytes) { return cut(bytes, {}); }

inline Slices slices_of(const grpc::ByteBuffer& buffer) {
  Slices slices;
  if (buffer.Valid()) CHECK(buffer.Dump(&slices).ok());
  return slices;
}

inline Bytes joined(const auto& segments) {
  Bytes all;
  for (const auto& segment : segments) {
    const std::span bytes = std::as_bytes(std::span(segment.begin(), segment.end()));
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  return all;
}

inline Bytes bytes_of(const grpc::ByteBuffer& buffer) { return joined(slices_of(buffer)); }

/// The first `size` bytes of the slices lie where they did.
inline void check_same_memory(const Slices& now, const Slices& before, std::size_t size) {
  REQUIRE(now.size() <= before.size());
  for (std::size_t i = 0; size != 0; ++i) {
    REQUIRE(i < now.size());
    CHECK(now[i].begin() == before[i].begin());
    CHECK(now[i].size() == std::min(size, before[i].size()));
    size -= now[i].size();
  }
}

}  // namespace grpc_buffers
