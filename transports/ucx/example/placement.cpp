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
  explicit Receiver(Connection& connection) : connection_(connection) {
    ucp_am_handler_param_t param{};
    param.field_mask = UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_CB |
                       UCP_AM_HANDLER_PARAM_FIELD_ARG | UCP_AM_HANDLER_PARAM_FIELD_FLAGS;
    param.id = tensor_id;
    param.arg = this;
    param.flags = UCP_AM_FLAG_WHOLE_MSG | UCP_AM_FLAG_PERSISTENT_DATA;
    param.cb = [](void* arg, const void* header, std::size_t header_length, void* data,
                  std::size_t length, const ucp_am_recv_param_t* message) {
      return static_cast<Receiver*>(arg)->arrived(header, header_length, data, length, *message);
    };
    check(ucp_worker_set_am_recv_handler(connection.worker(), &param), "the receive handler");
  }

  /// Places tensors until the last message. Whether all of them arrived.
  bool run() {
    connection_.progress_until([&] { return ended_ && under_way_ == 0; });
    std::size_t tensors = 0;
    for (const Memory& memory : memories_) tensors += memory.tensors.size();
    std::printf("%s: %zu tensors placed, %zu messages refused\n", refused_ == 0 ? "PASS" : "FAIL",
                tensors, refused_);
    return refused_ == 0;
  }

 private:
  ucs_status_t arrived(const void* header, std::size_t header_length, void* data,
                       std::size_t length, const ucp_am_recv_param_t& param) noexcept {
    gradtail::TrailerScratch scratch;
    const auto message = gradtail::open(header, header_length, data, length, param, scratch);
    if (!message) return refuse(to_string(message.error()), param);
    if (message->metadata().wrapped_message_type == end) {
      ended_ = true;
      return UCS_OK;
    }
    Memory* memory = memory_for(message->metadata());
    if (memory == nullptr || length > largest_payload) return refuse("no memory for it", param);
    receive(*message, memory->tensors.emplace_back(length));
    std::printf("pass %lld: %zu bytes for %s, which %s\n",
                static_cast<long long>(message->metadata().context_id), length,
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

  void receive(const gradtail::ActiveMessage& message, std::vector<std::byte>& memory) {
    ucp_request_param_t param{};
    param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA;
    param.user_data = this;
    param.cb.recv_am = [](void* request, ucs_status_t status, std::size_t, void* arg) {
      static_cast<Receiver*>(arg)->finish(status);
      ucp_request_free(request);
    };
    ++under_way_;
    const ucs_status_ptr_t request = message.receive(connection_.worker(), memory, param);
    if (!UCS_PTR_IS_PTR(request)) finish(UCS_PTR_STATUS(request));
  }

  void finish(ucs_status_t status) {
    --under_way_;
    if (status != UCS_OK) ++refused_;
  }

  ucs_status_t refuse(const std::string& why, const ucp_am_recv_param_t& param) {
    std::fprintf(stderr, "refused: %s\n", why.c_str());
    ++refused_;
    return gradtail::refusal(param);
  }

  Connection& connection_;
  std::array<Memory, 2> memories_ = {
      {{{.type = 1, .index = 0}, {}}, {{.type = 1, .index = 1}, {}}}};
  std::size_t under_way_ = 0;
  std::size_t refused_ = 0;
  bool ended_ = false;
};

/// Sends `count` payloads, to the receiver's devices in turn, small and large ones.
void send_all(Connection& connection, std::size_t count) {
  const gradtail::DevicePair maps[] = {{{.type = 1, .index = 0}, {.type = 1, .index = 0}},
                                       {{.type = 1, .index = 0}, {.type = 1, .index = 1}}};
  gradtail::IdGenerator passes(/*worker=*/1);
  const ucp_request_param_t param{};
  gradtail::Trailer trailer;
  const auto send = [&](std::span<const std::byte> payload, const gradtail::AutogradMetadata& m) {
    const auto request =
        gradtail::send(connection.endpoint(), tensor_id, payload, m, trailer, param);
    if (!request) throw std::runtime_error(to_string(request.error()));
    connection.wait(*request, "a send");  // payload and trailer must stay until it is complete
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
bool run(const std::string& listen, const std::string& connect, std::size_t messages,
         bool shared_memory) {
  const std::string& address = listen.empty() ? connect : listen;
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos) throw CLI::ValidationError("the address", "has no :PORT");
  const std::string host = address.substr(0, colon);
  const std::string port = address.substr(colon + 1);
  Connection connection(shared_memory);
  if (listen.empty()) {
    connection.connect(host, port);
    send_all(connection, messages);
    connection.close();
    return true;
  }
  Receiver receiver(connection);
  connection.accept(host, port);
  return receiver.run();
}

}  // namespace
}  // namespace placement

int main(int argc, char** argv) {
  CLI::App app("A receiver puts each payload where its device map says, before it has moved.");
  std::string listen;
  std::string connect;
  std::size_t messages = 8;
  bool shared_memory = false;
  auto* end = app.add_option_group("end")->require_option(1);
  end->add_option("--listen", listen, "receive there, HOST:PORT, until one sender is done");
  end->add_option("--connect", connect, "send there, HOST:PORT");
  app.add_option("--messages", messages, "payloads to be sent")->check(CLI::Range(1, 1000));
  app.add_flag("--shared-memory", shared_memory,
               "by shared memory, at both ends; otherwise UCX chooses, by UCX_TLS");
  try {
    app.parse(argc, argv);
    return placement::run(listen, connect, messages, shared_memory) ? 0 : 1;
  } catch (const CLI::Error& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ucx_placement: %s\n", error.what());
    return 1;
  }
}
