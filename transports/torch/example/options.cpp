// SPDX-License-Identifier: Apache-2.0
// Reads the command line; says which argument is wrong and what it may be.
#include "options.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

namespace torch_two_workers {

const char* const help_text =
    R"(torch_two_workers: two processes train one classifier by libtorch's autograd and RPC agents

Worker 0 has Fisher's iris data, the hidden layer and the loss, worker 1 the output layer. Each step
has several passes in flight at once. Activations and gradients travel as tensors; which gradients
belong to which activations stands in gradtail's trailers alone. After each step worker 0 compares
the gradients of both layers with those of the same model in a single process.

usage: torch_two_workers [option]...

  --rank N            the worker to be, 0 or 1 (default: both, on this machine)
  --master HOST:PORT  with --rank: an address of worker 0's machine and a free port there, the same
                      for both workers; [HOST]:PORT for IPv6
  --interface NAME    with --rank: the network interface whose address the other worker is to use
                      (default: the one that leads to HOST, or what TP_SOCKET_IFNAME names)
  --steps N           steps of the optimiser, 2 to 1000000 (default 100)
  --in-flight N       passes in flight at once, 2 to 150; each takes 150 / N flowers, rounded down
                      (default 10)
  --seed N            for first weights and draws of flowers (default 1)
  --data FILE         worker 0: the iris data (default: the file that comes with the source)
  --help              print this

exit status: 0 if the loss fell and all gradients agree to 1e-5; 1 if not, or if something fails,
the other worker dying for one; 2 for wrong arguments
)";

namespace {

template <class T>
T parse_number(std::string_view name, std::string_view text, T least, T most) {
  T number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < least || number > most) {
    throw UsageError(std::string(name) + " takes a whole number from " + std::to_string(least) +
                     " to " + std::to_string(most) + ", not '" + std::string(text) + "'");
  }
  return number;
}

Master parse_master(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) {
    throw UsageError("--master takes HOST:PORT, such as 10.0.0.1:29500, not '" + std::string(text) +
                     "'");
  }
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const std::string_view port = text.substr(colon + 1);
  return {std::string(host), parse_number<std::uint16_t>("PORT of --master", port, 1, 65535)};
}

struct Setting {
  std::string_view name;
  void (*apply)(std::string_view value, Options& options);
};

constexpr std::array settings{
    Setting{"--rank",
            [](std::string_view value, Options& options) {
              options.rank = parse_number<std::int16_t>("--rank", value, 0, 1);
            }},
    Setting{"--master",
            [](std::string_view value, Options& options) { options.master = parse_master(value); }},
    Setting{"--interface",
            [](std::string_view value, Options& options) { options.interface = value; }},
    Setting{"--steps",
            [](std::string_view value, Options& options) {
              options.steps = parse_number<std::int64_t>("--steps", value, 2, 1'000'000);
            }},
    Setting{"--in-flight",
            [](std::string_view value, Options& options) {
              options.in_flight = parse_number<std::int64_t>("--in-flight", value, 2, 150);
            }},
    Setting{"--seed",
            [](std::string_view value, Options& options) {
              options.seed = parse_number<std::uint64_t>("--seed", value, 0, UINT64_MAX);
            }},
    Setting{"--data", [](std::string_view value, Options& options) { options.data = value; }},
};

void check_together(const Options& options) {
  if (options.rank && options.master.port == 0) {
    throw UsageError("--rank needs --master HOST:PORT, the same for both workers");
  }
  if (!options.rank && (options.master.port != 0 || !options.interface.empty())) {
    throw UsageError("--master and --interface need --rank: without it both workers run here");
  }
}

}  // namespace

Options parse_options(std::span<const char* const> arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    const std::string_view name = argument.substr(0, argument.find('='));
    const auto setting = std::ranges::find(settings, name, &Setting::name);
    if (argument == "--help") {
      options.help = true;
      return options;
    }
    if (setting == settings.end()) {
      throw UsageError("unknown argument '" + std::string(argument) + "'");
    }
    std::string_view value = argument.substr(std::min(name.size() + 1, argument.size()));
    if (name.size() == argument.size() && i + 1 < arguments.size()) value = arguments[++i];
    if (value.empty()) throw UsageError(std::string(name) + " needs a value");
    setting->apply(value, options);
  }
  check_together(options);
  return options;
}

}  // namespace torch_two_workers
