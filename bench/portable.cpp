// SPDX-License-Identifier: Apache-2.0
// Rows of the library as built, linked statically, with the CPU's CRC instruction switched off.
#include "crc32c.hpp"
#include "gradtail_way.hpp"

// Where libgcc keeps what __builtin_cpu_supports tells: vendor, type, subtype, features.
extern "C" unsigned cpu_model[4] asm("__cpu_model");

namespace bench {
namespace {

/// While it lives, the library finds no instruction.
class InstructionOff {
 public:
  InstructionOff() { cpu_model[3] &= ~sse42; }
  ~InstructionOff() { cpu_model[3] = features_; }
  InstructionOff(const InstructionOff&) = delete;
  InstructionOff& operator=(const InstructionOff&) = delete;

 private:
  static constexpr unsigned sse42 = 1U << 8;
  unsigned features_ = cpu_model[3];
};

template <class Row>
void portable(benchmark::State& state) {
  const InstructionOff off;
  if (gradtail::detail::has_crc_instruction()) {
    return state.SkipWithError("the instruction can't be switched off this way");
  }
  time_row<Row>(state);
}

BENCHMARK(time_row<WriteRow<Gradtail<>>>)->Name("write/write_trailer, static");
BENCHMARK(time_row<ReadRow<Gradtail<>>>)->Name("read/open, static");
BENCHMARK(portable<WriteRow<Gradtail<>>>)->Name("write/write_trailer, static, portable CRC");
BENCHMARK(portable<ReadRow<Gradtail<>>>)->Name("read/open, static, portable CRC");

}  // namespace
}  // namespace bench
