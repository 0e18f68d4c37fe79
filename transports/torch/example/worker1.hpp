// SPDX-License-Identifier: Apache-2.0
// Worker 1: the output layer.
#pragma once

#include <condition_variable>
#include <mutex>

#include "worker.hpp"

namespace torch_two_workers {

class Worker1 : public Worker {
 public:
  explicit Worker1(c10::intrusive_ptr<c10d::TCPStore> store);

  /// Answers worker 0 until that says that it is done. Throws std::runtime_error if it hangs.
  void run();

 private:
  Reply call(const rpc::Message& request, const gradtail::MessageView& view) override;
  Message forward(const rpc::Message& request, const PairId& pair);
  Message step_all();

  torch::optim::SGD optimizer_;
  std::mutex mutex_;
  std::condition_variable called_;
  std::uint64_t call_count_ = 0;
  bool done_ = false;
};

}  // namespace torch_two_workers
