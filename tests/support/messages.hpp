// SPDX-License-Identifier: Apache-2.0
// Messages in containers and in pieces, and whether two ways to read them agree.
#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <vector>

#include "gradtail/result.hpp"
#include "reference.hpp"

using Spans = std::vector<std::span<const std::byte>>;

/// Gives a container of any kind of bytes the size and the contents of `bytes`.
template <class C>
void fill(C& buffer, const reference::Bytes& bytes) {
  buffer.resize(bytes.size());
  std::ranges::copy(bytes, std::as_writable_bytes(std::span(buffer)).begin());
}

/// Whether a container of any kind of bytes has these.
template <class C>
bool holds(const C& buffer, std::span<const std::byte> bytes) {
  return std::ranges::equal(std::as_bytes(std::span(buffer)), bytes);
}

/// Whether a part is in the whole, or empty.
inline bool is_inside(std::span<const std::byte> part, std::span<const std::byte> whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

/// The message between the cuts, which ascend.
inline Spans cut(std::span<const std::byte> message, std::span<const std::size_t> cuts) {
  Spans segments;
  std::size_t from = 0;
  for (const std::size_t at : cuts) {
    segments.push_back(message.subspan(from, at - from));
    from = at;
  }
  segments.push_back(message.subspan(from));
  return segments;
}

inline Spans cut(std::span<const std::byte> message, std::initializer_list<std::size_t> cuts) {
  return cut(message, std::span(cuts.begin(), cuts.size()));
}

/// The bytes of all segments.
reference::Bytes joined(const auto& segments) {
  reference::Bytes all;
  for (const std::span<const std::byte> bytes : segments) {
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  return all;
}

/// Whether two ways to read gave the same metadata or the same error.
template <class A, class B>
bool same(const gradtail::Result<A>& a, const gradtail::Result<B>& b) {
  if (a && b) return a->metadata() == b->metadata();
  return !a && !b && a.error() == b.error();
}
