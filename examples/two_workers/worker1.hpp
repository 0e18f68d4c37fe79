// SPDX-License-Identifier: Apache-2.0
// Worker 1: the output layer and the loss.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "messages.hpp"
#include "model.hpp"

namespace two_workers {

class Worker1 {
 public:
  Worker1(Channel channel, std::uint64_t seed, std::size_t pass_count);

  /// Answers worker 0 until that says that it is done. Throws std::runtime_error if worker 0 is
  /// gone, hangs or breaks the protocol.
  void run();

 private:
  void hold(Message message);
  void step();
  void evaluate(const Message& message);
  void send_report(double loss, std::size_t correct, const Gradient& gradient);

  Channel channel_;
  std::size_t pass_count_;
  Layer layer_;
  std::mt19937_64 random_;
  std::vector<Message> held_;  // the step's activations, in the buffers where they were received

  // Payloads that worker 0 may ask for again, until its next messages show that it has them.
  std::vector<Matrix> answers_;
  std::vector<double> report_;
};

}  // namespace two_workers
