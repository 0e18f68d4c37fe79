// SPDX-License-Identifier: Apache-2.0
// Times gradtail's writers and readers.
#include "gradtail_rows.hpp"

namespace bench {
namespace {

BENCHMARK(time_row<WriteRow<Gradtail<>>>)->Name("write/write_trailer");
BENCHMARK(time_row<TrailerRow>)->Name("write/Trailer");
BENCHMARK(time_row<AppendRow>)->Name("write/append");
BENCHMARK(time_row<WriteRow<Gradtail<8>>>)->Name("write/write_trailer, 8 pairs");
BENCHMARK(time_row<WriteRow<Gradtail<128>>>)->Name("write/write_trailer, 128 pairs");
BENCHMARK(time_row<ReadRow<Gradtail<>>>)->Name("read/open");
BENCHMARK(time_row<ReadRow<Gradtail<>, 1>>)->Name("read/open, misaligned");
BENCHMARK(time_row<SegmentsRow<64>>)->Name("read/open, 2 segments");
BENCHMARK(time_row<SegmentsRow<24>>)->Name("read/open, 2 segments, straddling");
BENCHMARK(time_row<StripRow>)->Name("read/strip");
BENCHMARK(time_row<ReadRow<Gradtail<8>>>)->Name("read/open, 8 pairs");
BENCHMARK(time_row<ReadRow<Gradtail<128>>>)->Name("read/open, 128 pairs");

}  // namespace
}  // namespace bench
