// SPDX-License-Identifier: Apache-2.0
// What FlatBuffers itself makes of a table: its Verifier, then its generated accessors.
//
// Its verifier and section 5 of FORMAT.md agree on every table of a trailer; that is tested here.
// They are worded differently in three places:
//   strict_size       Verifier::Verify refuses an item as long as the whole buffer. No item of ours
//                     can be: the root offset is in front of all of them but a vtable at 0, and a
//                     vtable at 0 shares its size with the low half of the root offset, which is
//                     inside and thereby less than the buffer.
//   wrapped_sum       It subtracts and adds in size_t, and a position that wraps is inside on no
//                     buffer this small; section 5 uses signed and bounded numbers.
//   values_unchecked  It knows nothing of section 3: a bool of 2 is true, and any id is valid.
#pragma once

#include <optional>

#include "plain.hpp"

namespace flatbuffers_reader {

/// The fields of a table that FlatBuffers accepts; retain_graph is 0 or 1.
[[nodiscard]] std::optional<plain::Fields> read(plain::Bytes table);

/// Whether each pair reads, through the generated structs, as the bytes say.
[[nodiscard]] bool same_pairs(plain::Bytes table, const plain::Fields& fields);

}  // namespace flatbuffers_reader
