// SPDX-License-Identifier: Apache-2.0
// Stands before libtorch's functions and passes their calls to the part that knows PyTorch.
//
// A preloaded library is loaded into every process that the command starts, most of which have no
// PyTorch. So this one is linked to nothing of it: the part that is lies beside it, and is loaded
// at the first call, when PyTorch is there.
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

/// The folder that this library lies in, with a slash.
std::string own_folder() {
  Dl_info self;
  if (dladdr(reinterpret_cast<void*>(&gradtail_pytorch_check), &self) == 0) return {};
  char* path = realpath(self.dli_fname, nullptr);
  const std::string whole = path == nullptr ? "" : path;
  std::free(path);  // NOLINT: realpath's memory
  return whole.substr(0, whole.rfind('/') + 1);
}

/// Taken when the library is loaded: a program may change the folder that a relative path is of.
const std::string folder = own_folder();

/// The library that knows PyTorch. To load it where another PyTorch is would load a second one.
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
  if (void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
  const char* why = dlerror();
  throw std::runtime_error("gradtail: built for PyTorch " TORCH_VERSION_BUILT
                           ", which isn't the one in this process: " +
                           std::string(why));
}

void* implementation() {
  static void* const loaded = load_implementation();
  return loaded;
}

/// The function that takes the call of the symbol of this name.
template <class Function>
Function* replacement(const char* symbol) {
  if (void* found = dlsym(implementation(), symbol)) return reinterpret_cast<Function*>(found);
  throw std::runtime_error("gradtail: " IMPLEMENTATION " has no " + std::string(symbol));
}

}  // namespace

// PyTorch's classes as far as the names of the symbols and the way of the call go.
namespace torch::distributed {

/// Stands for what the functions return: a pointer with a destructor, so returned in memory.
struct Returned {
  explicit Returned(void* made) : pointer(made) {}
  Returned(const Returned&) = delete;
  Returned& operator=(const Returned&) = delete;
  ~Returned() {}  // NOLINT: a trivial one would be returned in a register

  void* pointer;
};

using Call = Returned(const void* argument);

namespace rpc {
class Message;
}

namespace autograd {

class GRADTAIL_API RpcWithAutograd {
 public:
  Returned toMessageImpl() &&;                               // NOLINT: PyTorch's name
  static Returned fromMessage(const rpc::Message& message);  // NOLINT
};

class GRADTAIL_API RpcWithProfilingReq {
 public:
  static Returned fromMessage(const rpc::Message& message);  // NOLINT
};

class GRADTAIL_API RpcWithProfilingResp {
 public:
  static Returned fromMessage(const rpc::Message& message);  // NOLINT
};

Returned RpcWithAutograd::toMessageImpl() && {
  static Call* const call = replacement<Call>(symbols::to_message);
  return call(this);
}

Returned RpcWithAutograd::fromMessage(const rpc::Message& message) {
  static Call* const call = replacement<Call>(symbols::from_message);
  return call(&message);
}

Returned RpcWithProfilingReq::fromMessage(const rpc::Message& message) {
  static Call* const call = replacement<Call>(symbols::from_profiled_request);
  return call(&message);
}

Returned RpcWithProfilingResp::fromMessage(const rpc::Message& message) {
  static Call* const call = replacement<Call>(symbols::from_profiled_response);
  return call(&message);
}

}  // namespace autograd
}  // namespace torch::distributed

const char* gradtail_pytorch_check() noexcept {
  static std::string thrown;
  try {
    return replacement<const char*()>("gradtail_pytorch_self_test")();
  } catch (const std::exception& error) {
    thrown = error.what();
    return thrown.c_str();
  }
}
