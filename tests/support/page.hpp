// SPDX-License-Identifier: Apache-2.0
// What the code of a page calls. A test of a page includes that code in this namespace, and looks
// at what was handed over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "gradtail/error.hpp"

namespace page {

inline std::string failure;  ///< the sentence of the last error
inline std::int64_t handled_context = -1;
inline std::uint64_t handled_size = 0;
inline std::string handled_payload;

inline bool fail(const gradtail::Error& error) {
  failure = to_string(error);
  return false;
}

inline void consume(std::span<const std::byte> piece) {
  handled_payload.append(reinterpret_cast<const char*>(piece.data()), piece.size());
}

inline bool handle(std::int64_t context, std::uint64_t payload_size) {
  handled_context = context;
  handled_size = payload_size;
  return true;
}

inline bool handle(std::int64_t context, std::span<const std::byte> payload) {
  handled_payload.clear();
  consume(payload);
  return handle(context, std::uint64_t{payload.size()});
}

}  // namespace page
