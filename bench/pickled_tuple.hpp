// SPDX-License-Identifier: Apache-2.0
// What RpcWithAutograd::toMessageImpl does with its metadata: a pickled tuple behind the payload.
#pragma once

#include <torch/csrc/distributed/rpc/utils.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <string>
#include <utility>
#include <vector>

namespace bench {

template <class Metadata>
void append_tuple(std::vector<char>& payload, const Metadata& metadata) {
  std::vector<at::IValue> values{static_cast<std::int64_t>(metadata.wrapped_message_type),
                                 metadata.context_id, metadata.message_id,
                                 static_cast<std::int64_t>(metadata.from_worker_id),
                                 c10::Dict<std::string, std::string>()};
  std::vector<at::Tensor> tensors;
  std::vector<char> pickled =
      torch::jit::pickle(c10::ivalue::Tuple::create(std::move(values)), &tensors);
  torch::distributed::rpc::writeWrappedPayload(payload, pickled);
}

}  // namespace bench
