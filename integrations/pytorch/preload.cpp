// SPDX-License-Identifier: Apache-2.0
// Takes the calls of libtorch's functions and forwards them to the part that knows PyTorch.
//
// A preloaded library is loaded into every process that the command starts, most of which have no
// PyTorch. So this one isn't linked to PyTorch. The part that is lives in a library beside this
// one, which is loaded at the first call, when PyTorch is there.
#include "preload.hpp"

#include <dlfcn.h>
#include <link.h>

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

#include "built_for.hpp"
#include "symbols.hpp"

namespace {

namespace symbols = gradtail::pytorch::symbols;

/// The name under which the process has loaded libtorch_cpu, or nothing.
std::string loaded_torch() {
  std::string name;
  dl_iterate_phdr(
      [](dl_phdr_info* library, std::size_t, void* found) {
        const std::string_view path = library->dlpi_name;
        const bool is_torch = path.substr(path.rfind('/') + 1).starts_with("libtorch_cpu.so");
        if (is_torch) *static_cast<std::string*>(found) = path;
        return int{is_torch};
      },
      &name);
  return name;
}

/// The folder of this library, with a slash.
std::string own_folder() {
  Dl_info self;
  if (dladdr(reinterpret_cast<void*>(&gradtail_pytorch_check), &self) == 0) return {};
  char* path = realpath(self.dli_fname, nullptr);
  const std::string whole = path == nullptr ? "" : path;
  std::free(path);  // NOLINT: realpath's memory
  return whole.substr(0, whole.rfind('/') + 1);
}

/// Found when the library is loaded: a program may change its working directory later.
const std::string folder = own_folder();

/// The library's function of this name.
template <class Function>
Function* function_of(void* library, const char* symbol) {
  if (void* found = dlsym(library, symbol)) return reinterpret_cast<Function*>(found);
  throw std::runtime_error("gradtail: " IMPLEMENTATION " has no " + std::string(symbol));
}

/// The library that knows PyTorch. Refuses to load it beside another PyTorch: where the names
/// differ, the loader would bring in a second one, and where they don't, its classes may differ.
void* load_implementation() {
  const std::string torch = loaded_torch();
  if (torch.empty()) throw std::runtime_error("gradtail: this process has not loaded libtorch_cpu");
  void* expected = dlopen(TORCH_SONAME, RTLD_LAZY | RTLD_NOLOAD);
  if (expected == nullptr) {
    throw std::runtime_error("gradtail: built for PyTorch " TORCH_VERSION_BUILT " (" TORCH_SONAME
                             "), but this process has " +
                             torch + ": build gradtail for it (docs/pytorch.md says how)");
  }
  dlclose(expected);
  const std::string path = folder + IMPLEMENTATION;
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  const std::string why = library == nullptr ? dlerror() : "that is another version";
  if (library != nullptr && function_of<bool()>(library, "gradtail_pytorch_right_version")()) {
    return library;
  }
  throw std::runtime_error("gradtail: built for PyTorch " TORCH_VERSION_BUILT
                           ", which isn't the one in this process: " +
                           why);
}

void* implementation() {
  static void* const loaded = load_implementation();
  return loaded;
}

}  // namespace

// PyTorch's classes, as far as the symbols' names and the calling convention need them.
namespace torch::distributed {

/// Stands for what the functions return: a pointer with a destructor, so it is returned in memory.
struct Returned {
  explicit Returned(void* made) : pointer(made) {}
  Returned(const Returned&) = delete;
  Returned& operator=(const Returned&) = delete;
  ~Returned() {}  // NOLINT(modernize-use-equals-default): then it would be returned in a register

  void* pointer;
};

/// Calls the implementation's function of this name, which has one argument: `this` or the message.
template <const char* symbol>
Returned forward(const void* argument) {
  using Function = Returned(const void*);
  static auto* const function = function_of<Function>(implementation(), symbol);
  return function(argument);
}

namespace rpc {
class Message;
}

namespace autograd {

// NOLINTBEGIN(readability-identifier-naming): PyTorch's names. `used`: nothing here calls them.

class GRADTAIL_API RpcWithAutograd {
  [[gnu::used]] Returned toMessageImpl() && { return forward<symbols::to_forward>(this); }
  [[gnu::used]] static Returned fromMessage(const rpc::Message& message) {
    return forward<symbols::from_forward>(&message);
  }
};

class GRADTAIL_API PropagateGradientsReq {
  [[gnu::used]] Returned toMessageImpl() && { return forward<symbols::to_gradients>(this); }
  [[gnu::used]] static Returned fromMessage(const rpc::Message& message) {
    return forward<symbols::from_gradients>(&message);
  }
};

class GRADTAIL_API CleanupAutogradContextReq {
  [[gnu::used]] Returned toMessageImpl() && { return forward<symbols::to_cleanup>(this); }
  [[gnu::used]] static Returned fromMessage(const rpc::Message& message) {
    return forward<symbols::from_cleanup>(&message);
  }
};

class GRADTAIL_API RRefBackwardReq {
  [[gnu::used]] Returned toMessageImpl() && { return forward<symbols::to_rref_backward>(this); }
  [[gnu::used]] static Returned fromMessage(const rpc::Message& message) {
    return forward<symbols::from_rref_backward>(&message);
  }
};

class GRADTAIL_API RpcWithProfilingReq {
  [[gnu::used]] static Returned fromMessage(const rpc::Message& message) {
    return forward<symbols::from_profiled_request>(&message);
  }
};

class GRADTAIL_API RpcWithProfilingResp {
  [[gnu::used]] static Returned fromMessage(const rpc::Message& message) {
    return forward<symbols::from_profiled_response>(&message);
  }
};

// NOLINTEND(readability-identifier-naming)

}  // namespace autograd
}  // namespace torch::distributed

const char* gradtail_pytorch_check() noexcept {
  static std::string thrown;
  try {
    return function_of<const char*()>(implementation(), "gradtail_pytorch_self_test")();
  } catch (const std::exception& error) {
    thrown = error.what();
    return thrown.c_str();
  }
}
