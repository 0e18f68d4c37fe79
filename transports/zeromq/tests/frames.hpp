// SPDX-License-Identifier: Apache-2.0
// Frames for the tests of ZeroMQ messages, and what is to be known of them.
#pragma once

#include <atomic>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <vector>
#include <zmq.hpp>

#include "gradtail/zeromq.hpp"
#include "reference.hpp"

using gradtail::AutogradMetadata;
using reference::Bytes;
using Frames = std::vector<zmq::message_t>;

/// Calls of operator new in this program.
extern std::atomic<std::size_t> allocations;

inline std::span<const std::byte> bytes_of(const zmq::message_t& message) {
  return {message.data<std::byte>(), message.size()};
}

inline zmq::message_t frame_of(std::span<const std::byte> bytes) {
  return {bytes.data(), bytes.size()};
}

/// Frames of the given sizes, which together are the message.
template <class C = Frames>
C cut(std::span<const std::byte> message, std::initializer_list<std::size_t> sizes) {
  C frames;
  std::size_t at = 0;
  for (const std::size_t size : sizes) {
    frames.push_back(frame_of(message.subspan(at, size)));
    at += size;
  }
  frames.push_back(frame_of(message.subspan(at)));
  return frames;
}

Bytes joined(const auto& frames) {
  Bytes all;
  for (const auto& frame : frames) {
    const auto bytes = gradtail::detail::segment_bytes(frame);
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  return all;
}

std::vector<const void*> addresses(const auto& frames) {
  std::vector<const void*> all;
  all.reserve(frames.size());
  for (const zmq::message_t& frame : frames) all.push_back(frame.data());
  return all;
}

inline constexpr AutogradMetadata refused{.context_id = -2};
