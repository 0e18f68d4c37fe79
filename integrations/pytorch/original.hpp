// SPDX-License-Identifier: Apache-2.0
// PyTorch's own functions behind the replaced ones.
#pragma once

#include <c10/util/Exception.h>
#include <dlfcn.h>
#include <torch/csrc/distributed/rpc/utils.h>

namespace gradtail::pytorch {

/// The function of this symbol in libtorch_cpu itself. RTLD_NEXT wouldn't find it: Python loads
/// PyTorch for its own module alone. Throws c10::Error where it isn't there.
template <class Function>
Function* original(const char* symbol) {
  Dl_info torch;
  void* library = nullptr;
  if (dladdr(reinterpret_cast<void*>(&torch::distributed::rpc::deserializeRequest), &torch) != 0) {
    library = dlopen(torch.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  }
  void* found = library == nullptr ? nullptr : dlsym(library, symbol);
  TORCH_CHECK(found != nullptr, "gradtail: libtorch_cpu has no ", symbol);
  return reinterpret_cast<Function*>(found);
}

}  // namespace gradtail::pytorch
