// SPDX-License-Identifier: Apache-2.0
// Rows of the library as built, linked statically, with the CPU's CRC instruction switched off.
#include "gradtail_way.hpp"

// The library's has_crc_instruction, which this program defines in its place: one that can change.
bool has_crc_instruction asm("_ZN8gradtail2v06detail19has_crc_instructionE") = true;

namespace bench {
namespace {

template <class Row>
void portable(benchmark::State& state) {
  has_crc_instruction = false;
  time_row<Row>(state);
  has_crc_instruction = true;
}

BENCHMARK(time_row<WriteRow<Gradtail<>>>)->Name("write/write_trailer, static");
BENCHMARK(time_row<ReadRow<Gradtail<>>>)->Name("read/open, static");
BENCHMARK(portable<WriteRow<Gradtail<>>>)->Name("write/write_trailer, static, portable CRC");
BENCHMARK(portable<ReadRow<Gradtail<>>>)->Name("read/open, static, portable CRC");

}  // namespace
}  // namespace bench
