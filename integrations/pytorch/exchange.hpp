// SPDX-License-Identifier: Apache-2.0
// What all replaced messages share: the choice between a trailer and PyTorch's pickle, both ways.
#pragma once

#include <c10/util/intrusive_ptr.h>
#include <torch/csrc/distributed/rpc/message.h>

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "gradtail/gradtail.hpp"
#include "gradtail/torch.hpp"
#include "preload.hpp"

namespace gradtail::pytorch {

using Message = torch::distributed::rpc::Message;
using MessageType = torch::distributed::rpc::MessageType;
using detail::torch_check;

/// The address of this symbol in libtorch_cpu itself. Throws c10::Error where it isn't there.
void* find_original(const char* symbol);

template <class Function>
Function* original(const char* symbol) {
  return reinterpret_cast<Function*>(find_original(symbol));
}

/// PyTorch's own message, for peers without trailers.
template <const char* symbol, class Rpc>
c10::intrusive_ptr<Message> to_pickle(Rpc& rpc) {
  using Function = c10::intrusive_ptr<Message>(Rpc*);
  static auto* const function = original<Function>(symbol);
  auto message = function(&rpc);
  count(Count::pickles_sent);
  return message;
}

/// Reads PyTorch's own message.
template <class Rpc, const char* symbol>
std::unique_ptr<Rpc> from_pickle(const Message& message) {
  using Function = std::unique_ptr<Rpc>(const Message&);
  static auto* const function = original<Function>(symbol);
  auto rpc = function(message);
  count(Count::pickles_received);
  return rpc;
}

/// Appends the trailer and counts it. Throws c10::Error where the metadata can't be written.
void append_trailer(std::vector<char>& payload, const AutogradMetadata& metadata);

/// Opens the message's trailer; the view borrows from the message. Nothing where there is none, in
/// the modes that take pickles. Throws c10::Error where the trailer is damaged, and in mode `only`
/// where there is none. `what` names the message in errors.
std::optional<MessageView> open_trailer(const Message& message, Kind kind, const char* what);

/// Throws c10::Error unless the bytes begin and end as every pickle of PyTorch's does. What is left
/// of a damaged trailer doesn't: it has no such beginning.
void check_pickled(std::span<const char> bytes, const char* what);

/// Throws c10::Error where a field that the message needs is absent.
inline void check_present(bool present, const char* what, const char* field) {
  torch_check(present, "the metadata of ", what, " lacks its ", field);
}

}  // namespace gradtail::pytorch
