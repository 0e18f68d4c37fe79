// SPDX-License-Identifier: Apache-2.0
// A bound on wrappings: PyTorch unwraps a message inside of a message by calling itself.
#pragma once

#include "gradtail/torch.hpp"

namespace gradtail::pytorch {

/// Lives while one wrapping is taken off.
class Nesting {
 public:
  /// PyTorch's own messages have at most two wrappings: profiling around autograd.
  static constexpr int limit = 4;

  /// Throws c10::Error inside of `limit` others on this thread.
  Nesting() {
    detail::torch_check(depth < limit, "more than ", limit,
                        " wrappings (autograd, profiling) around one RPC");
    ++depth;
  }
  ~Nesting() { --depth; }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;

 private:
  inline static thread_local int depth = 0;
};

}  // namespace gradtail::pytorch
