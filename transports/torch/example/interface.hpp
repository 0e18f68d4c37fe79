// SPDX-License-Identifier: Apache-2.0
// Which network interface libtorch's agent is to listen on.
#pragma once

#include <string>

#include "options.hpp"

namespace torch_two_workers {

/// Names the interface to TensorPipeAgent, which takes it from the environment, and would take the
/// host name's address otherwise. It is that of --interface, else that of TP_SOCKET_IFNAME, else
/// the one that leads to the master. Returns its name. To be called before there are threads.
/// Throws UsageError where it has no address, std::runtime_error where nothing leads to the master.
std::string choose_interface(const Options& options);

}  // namespace torch_two_workers
