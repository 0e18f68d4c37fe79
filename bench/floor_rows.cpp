// SPDX-License-Identifier: Apache-2.0
// Times the rows without any format.
#include "floor_way.hpp"

namespace bench {
namespace {

BENCHMARK(time_row<NothingRow>)->Name("loop");
BENCHMARK(time_row<WriteRow<Struct>>)->Name("write/struct");
BENCHMARK(time_row<ReadRow<Struct>>)->Name("read/struct");
BENCHMARK(time_row<WriteRow<Floor>>)->Name("write/floor");
BENCHMARK(time_row<ReadRow<Floor>>)->Name("read/floor");

}  // namespace
}  // namespace bench
