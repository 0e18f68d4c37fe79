// SPDX-License-Identifier: Apache-2.0
// PyTorch's way, as RpcWithAutograd has it: a pickled tuple behind the payload, and back.
// Checked by it: the pickle's opcodes, types of the tuple. Not checked: magic, version, checksum
// (it has none), ranges, bytes behind the tuple. Reading copies the payload.
#include <benchmark/benchmark.h>
#include <torch/csrc/distributed/rpc/message.h>
#include <torch/csrc/utils/byte_order.h>

#include <vector>

#include "job.hpp"
#include "pickled_tuple.hpp"

namespace bench {
namespace {

namespace rpc = torch::distributed::rpc;

/// rpc::readWrappedPayload, but for the names of types, which it asks a running RPC agent for.
std::vector<at::IValue> read_wrapped(std::vector<char>& payload, const rpc::Message& message) {
  TORCH_INTERNAL_ASSERT(payload.size() >= sizeof(std::int64_t));
  const std::size_t index = payload.size() - sizeof(std::int64_t);
  std::int64_t size = 0;
  torch::utils::THP_decodeInt64Buffer(&size,
                                      reinterpret_cast<const std::uint8_t*>(payload.data()) + index,
                                      torch::utils::THPByteOrder::THP_BIG_ENDIAN, 1);
  payload.resize(index);
  TORCH_INTERNAL_ASSERT(payload.size() > static_cast<std::size_t>(size));
  const char* pickled = message.payload().data() + payload.size() - size;
  const at::IValue tuple =
      torch::jit::unpickle(pickled, static_cast<std::size_t>(size), nullptr, message.tensors());
  payload.resize(payload.size() - static_cast<std::size_t>(size));
  return tuple.toTupleRef().elements().vec();
}

/// RpcWithAutograd::fromMessage, up to the payload of the message that it makes.
template <class Use>
void read(const rpc::Message& message, Use use) {
  std::vector<char> payload = message.payload();
  const std::vector<at::IValue> values = read_wrapped(payload, message);
  TORCH_INTERNAL_ASSERT(values.size() == 5);
  const Scalars scalars{values[1].toInt(), values[2].toInt(),
                        static_cast<std::int32_t>(values[3].toInt()),
                        static_cast<std::uint32_t>(values[0].toInt())};
  benchmark::DoNotOptimize(values[4].to<c10::Dict<std::string, std::string>>());
  use(scalars, std::as_bytes(std::span(payload)));
}

std::vector<char> message_of(const Scalars& scalars) {
  std::vector<char> message(usual_payload);
  append_tuple(message, scalars);
  return message;
}

void write_row(benchmark::State& state) {
  std::array<std::vector<char>, ring_size> buffers;
  for (auto& buffer : buffers) {
    buffer.reserve(4 * usual_payload);
    buffer.resize(usual_payload);
  }
  std::size_t i = 0;
  for (auto _ : state) {
    append_tuple(buffers[i], sent[i]);
    benchmark::ClobberMemory();
    buffers[i].resize(usual_payload);
    i = (i + 1) % ring_size;
  }
  state.counters["wire"] = static_cast<double>(message_of(sent[0]).size() - usual_payload);
}

void read_row(benchmark::State& state) {
  std::vector<c10::intrusive_ptr<rpc::Message>> messages;
  for (const Scalars& scalars : sent) {
    messages.push_back(c10::make_intrusive<rpc::Message>(
        message_of(scalars), std::vector<at::Tensor>{}, rpc::FORWARD_AUTOGRAD_REQ));
    bool same = false;
    read(*messages.back(), [&](const Scalars& found, std::span<const std::byte> payload) {
      same = found == scalars && payload.size() == usual_payload;
    });
    if (!same) return state.SkipWithError("what it wrote doesn't read back");
  }
  std::size_t i = 0;
  for (auto _ : state) {
    read(*messages[i], consume);
    benchmark::ClobberMemory();
    i = (i + 1) % ring_size;
  }
  state.counters["wire"] = static_cast<double>(messages[0]->payload().size() - usual_payload);
}

BENCHMARK(write_row)->Name("write/PyTorch");
BENCHMARK(read_row)->Name("read/PyTorch");

}  // namespace
}  // namespace bench
