// SPDX-License-Identifier: Apache-2.0
// What all replaced messages share: finding PyTorch's own functions, writing and opening trailers.
#include "exchange.hpp"

#include <dlfcn.h>
#include <torch/csrc/distributed/rpc/utils.h>

namespace gradtail::pytorch {

// RTLD_NEXT wouldn't find them: Python loads PyTorch for its own module alone.
void* find_original(const char* symbol) {
  Dl_info torch;
  void* library = nullptr;
  if (dladdr(reinterpret_cast<void*>(&torch::distributed::rpc::deserializeRequest), &torch) != 0) {
    library = dlopen(torch.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  }
  void* found = library == nullptr ? nullptr : dlsym(library, symbol);
  torch_check(found != nullptr, "libtorch_cpu has no ", symbol);
  return found;
}

void append_trailer(std::vector<char>& payload, const AutogradMetadata& metadata) {
  const auto appended = append(payload, metadata);
  if (!appended) torch_check(false, to_string(appended.error()));
  count(Count::trailers_sent);
}

std::optional<MessageView> open_trailer(const Message& message, Kind kind, const char* what) {
  const auto view = open(message);
  if (view) {
    count(Count::trailers_received);
    return *view;
  }
  if (view.error().code != Code::absent) torch_check(false, to_string(view.error()));
  torch_check(mode(kind) != Mode::only, what,
              " without a trailer, and GRADTAIL_PYTORCH=only takes no other");
  return std::nullopt;
}

void check_pickled(std::span<const char> bytes, const char* what) {
  constexpr char protocol = '\x80';
  constexpr char version = 2;
  constexpr char stop = '.';
  const bool pickled =
      bytes.size() > 2 && bytes[0] == protocol && bytes[1] == version && bytes.back() == stop;
  torch_check(pickled, what, " ends neither in a trailer nor in PyTorch's pickled tuple: damaged, ",
              "or of a peer with another format");
}

}  // namespace gradtail::pytorch
