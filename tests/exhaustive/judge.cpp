// SPDX-License-Identifier: Apache-2.0
// Compares what the library, the plain rules and FlatBuffers say of one message.
#include "judge.hpp"

#include "flatbuffers_reader.hpp"
#include "gradtail/open.hpp"

namespace judge {
namespace {

using gradtail::Check;
using Opened = gradtail::Result<gradtail::MessageView>;

std::optional<gradtail::Error> error_of(const Opened& opened) {
  if (opened) return {};
  return opened.error();
}

/// Whether metadata is what the table holds; its pairs are lent from the message, in place.
bool same(const gradtail::AutogradMetadata& m, const plain::Fields& fields, plain::Bytes table) {
  const std::byte* pairs = fields.pair_count != 0 ? table.data() + fields.pairs_at : nullptr;
  return m.context_id == fields.context_id && m.message_id == fields.message_id &&
         m.from_worker_id == fields.from_worker_id &&
         m.wrapped_message_type == fields.wrapped_message_type &&
         m.retain_graph == (fields.retain_graph != 0) &&
         m.rref_created_on == fields.rref_created_on && m.rref_local_id == fields.rref_local_id &&
         m.device_map.size() == fields.pair_count &&
         (pairs == nullptr || std::as_bytes(m.device_map).data() == pairs);
}

bool same(const Opened& opened, const plain::Answer& answer, plain::Bytes message) {
  if (error_of(opened) != answer.error) return false;
  if (!opened) return true;
  const plain::Bytes trailer = message.subspan(answer.payload_size);
  return opened->payload().data() == message.data() &&
         opened->payload().size() == answer.payload_size &&
         opened->trailer().data() == trailer.data() && opened->trailer().size() == trailer.size() &&
         same(opened->metadata(), answer.fields, trailer);
}

/// FlatBuffers must accept exactly the valid layouts, and read the same of them.
bool flatbuffers_agrees(plain::Bytes table, const plain::Answer& answer) {
  const bool valid = !answer.error || answer.error->check == Check::values;
  const std::optional<plain::Fields> read = flatbuffers_reader::read(table);
  if (read.has_value() != valid) return false;
  if (!valid) return true;
  plain::Fields expected = answer.fields;
  expected.retain_graph = expected.retain_graph != 0;  // values_unchecked
  return *read == expected && flatbuffers_reader::same_pairs(table, expected);
}

}  // namespace

bool open(plain::Bytes message, Tally& tally) {
  const Opened opened = gradtail::open(message);
  const plain::Answer answer = plain::open(message, gradtail::Limits{}.trailer_size);
  tally.count(error_of(opened), answer.rule);
  if (!same(opened, answer, message)) tally.violation("not what FORMAT.md says", message);
  return opened.has_value();
}

void refuses(plain::Bytes message, Tally& tally) {
  if (open(message, tally)) tally.violation("accepted", message);
}

void table(plain::Bytes message, std::size_t payload_size, Tally& tally) {
  const Opened opened = gradtail::open(message);
  const plain::Bytes bytes =
      message.subspan(payload_size, message.size() - payload_size - gradtail::footer_size);
  const plain::Answer answer = plain::read_table(bytes, payload_size);
  tally.count(error_of(opened), answer.rule);
  if (!same(opened, answer, message)) tally.violation("not what FORMAT.md says", message);
  if (!flatbuffers_agrees(bytes, answer)) {
    tally.violation("FORMAT.md and FlatBuffers differ", message);
  }
}

}  // namespace judge
