// SPDX-License-Identifier: Apache-2.0
// The receiver puts each payload where its device map says, before the payload has moved.
#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <deque>
#include <exception>
#include <string>
#include <vector>

#include "connection.hpp"
#include "gradtail/gradtail.hpp"
#include "gradtail/ucx.hpp"

namespace placement {
namespace {

constexpr unsigned tensor_id = 1;    // of the active message
constexpr std::uint32_t tensor = 1;  // wrapped_message_type: a payload to be placed
constexpr std::uint32_t end = 2;     // the last message
constexpr std::size_t largest_payload = 64 << 20;

/// The memory of one of the receiver's devices; a real receiver has a GPU's.
struct Memory {
  gradtail::Device device;
  std::deque<std::vector<std::byte>> tensors;
};

/// Places what comes.
class Receiver {
 public:
  explicit Receiver(ucx::Connection& connection) : connection_(connection) {
    connection.handle(
        tensor_id, [this](const ucx::Arrived& arrived) { return take(arrived); },
        UCP_AM_FLAG_WHOLE_MSG | UCP_AM_FLAG_PERSISTENT_DATA);
  }

  /// Places tensors until the last message. Whether all of them arrived.
  bool run() {
    connection_.wait_until([&] { return ended_ && under_way_ == 0; });
    std::size_t tensors = 0;
    for (const Memory& memory : memories_) tensors += memory.tensors.size();
    std::printf("%s: %zu tensors placed, %zu messages refused\n", refused_ == 0 ? "PASS" : "FAIL",
                tensors, refused_);
    return refused_ == 0;
  }

 private:
  /// The receive handler: the metadata is here, the payload may still be with the sender.
  ucs_status_t take(const ucx::Arrived& arrived) noexcept {
    gradtail::TrailerScratch scratch;
    const auto message = arrived.open(scratch);
    if (!message) return refuse(to_string(message.error()), arrived.param);
    if (message->metadata().wrapped_message_type == end) {
      ended_ = true;
      return UCS_OK;
    }
    const std::size_t size = message->payload_size();
    Memory* memory = memory_for(message->metadata());
    if (memory == nullptr || size > largest_payload) {
      return refuse("no memory for it", arrived.param);
    }
    ++under_way_;
    connection_.receive(*message, memory->tensors.emplace_back(size), [this](ucs_status_t status) {
      --under_way_;
      if (status != UCS_OK) ++refused_;
    });
    std::printf("pass %lld: %zu bytes for %s, which %s\n",
                static_cast<long long>(message->metadata().context_id), size,
                to_string(memory->device).c_str(),
                message->is_remote() ? "are still with the sender" : "came with the header");
    return UCS_OK;
  }

  /// The memory of the receiver's device in the message's map.
  Memory* memory_for(const gradtail::AutogradMetadata& metadata) {
    for (Memory& memory : memories_) {
      if (!metadata.device_map.empty() && metadata.device_map[0].target == memory.device) {
        return &memory;
      }
    }
    return nullptr;
  }

  ucs_status_t refuse(const std::string& why, const ucp_am_recv_param_t& param) {
    std::fprintf(stderr, "refused: %s\n", why.c_str());
    ++refused_;
    return gradtail::refusal(param);
  }

  ucx::Connection& connection_;
  std::array<Memory, 2> memories_ = {
      {{{.type = 1, .index = 0}, {}}, {{.type = 1, .index = 1}, {}}}};
  std::size_t under_way_ = 0;
  std::size_t refused_ = 0;
  bool ended_ = false;
};

/// Sends payloads to the receiver's devices in turn, small and large ones.
void send_all(ucx::Connection& connection) {
  constexpr std::size_t count = 8;
  const gradtail::DevicePair maps[] = {{{.type = 1, .index = 0}, {.type = 1, .index = 0}},
                                       {{.type = 1, .index = 0}, {.type = 1, .index = 1}}};
  gradtail::IdGenerator passes(/*worker=*/1);
  const ucp_request_param_t param{};
  gradtail::Trailer trailer;
  const auto send = [&](std::span<const std::byte> payload, const gradtail::AutogradMetadata& m) {
    const auto request =
        gradtail::send(connection.endpoint(), tensor_id, payload, m, trailer, param);
    if (!request) throw std::runtime_error(to_string(request.error()));
    // Payload and trailer must stay until it is complete.
    ucx::check(connection.wait(*request), "the peer is gone");
  };
  for (std::size_t i = 0; i < count; ++i) {
    const std::vector<std::byte> payload(i % 2 == 0 ? 4096 : 16 << 20, std::byte{1});
    send(payload, {.context_id = passes.next().value(),
                   .wrapped_message_type = tensor,
                   .device_map = std::span(&maps[i / 2 % 2], 1)});
  }
  send({}, {.wrapped_message_type = end});
  std::printf("sent %zu tensors\n", count);
}

/// Whether this end did all that it should.
bool run(const std::string& listen, const std::string& connect, bool shared_memory) {
  const std::string& address = listen.empty() ? connect : listen;
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos) throw CLI::ValidationError("the address", "has no :PORT");
  const std::string host = address.substr(0, colon);
  const std::string port = address.substr(colon + 1);
  ucx::Connection connection(shared_memory);
  if (listen.empty()) {
    connection.connect(host, port);
    send_all(connection);
    connection.close();
    return true;
  }
  Receiver receiver(connection);
  connection.accept(host, port);
  return receiver.run();
}

}  // namespace
}  // namespace placement

int main(int argc, char** argv) {  // NOLINT(bugprone-exception-escape): it ends the program
  CLI::App app("A receiver puts each payload where its device map says, before it has moved.");
  std::string listen;
  std::string connect;
  bool shared_memory = false;
  auto* end = app.add_option_group("end")->require_option(1);
  end->add_option("--listen", listen, "receive there, HOST:PORT, until one sender is done");
  end->add_option("--connect", connect, "send there, HOST:PORT");
  app.add_flag("--shared-memory", shared_memory,
               "by shared memory, at both ends; otherwise UCX chooses, by UCX_TLS");
  try {
    app.parse(argc, argv);
    return placement::run(listen, connect, shared_memory) ? 0 : 1;
  } catch (const CLI::Error& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ucx_placement: %s\n", error.what());
    return 1;
  }
}
