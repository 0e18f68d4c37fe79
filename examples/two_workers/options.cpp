// SPDX-License-Identifier: Apache-2.0
// Reads the command line; says which argument is wrong and what it may be.
#include "options.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <string_view>
#include <utility>

namespace two_workers {

const char* const help_text =
    R"(two_workers: two processes train one classifier over TCP, joined by gradtail's trailers

Worker 0 has the hidden layer and Fisher's iris data, worker 1 the output layer and the loss. Each
optimiser step has several passes in flight at once. Worker 1 answers them in a random order, so
that only the ids in the trailers tell which gradients belong to which activations. At every step
the gradients are compared with those of the same model in a single process.

usage: two_workers [option]...

  --epochs N      optimiser steps to train, 1 to 10000000; one is about a pass over the data
                  (default 200)
  --in-flight N   passes in flight at once, 8 to 150; each takes 150 / N flowers, rounded down, all
                  drawn anew for each step (default 10)
  --seed N        for the first weights, the draws of flowers and the order of answers (default 1)
  --fault KIND    what goes wrong on the wire (default damage):
                    none    nothing
                    damage  one bit of a trailer is flipped once: its receiver refuses the message
                            and asks for it again; damage:W:N does it to frame N of worker W,
                            counted from 0 (damage alone: damage:1:5), and can be repeated
                    swap    two answers get each other's ids, under valid checksums, which only the
                            comparison of gradients can find: the run must fail
  --verbose       print the metadata of each message
  --dump DIR      write each received message, refused ones too, to a file in DIR, which is made if
                  it isn't there
  --data FILE     the iris data (default: the file that comes with the source)
  --help          print this

exit status: 0 if the accuracy passes 95 % and all gradients agree to 1e-9; 1 if not, or if
something fails, a worker dying for one; 2 for wrong arguments
)";

namespace {

std::uint64_t parse_number(std::string_view name, std::string_view text, std::uint64_t least,
                           std::uint64_t most) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < least || number > most) {
    throw UsageError(std::string(name) + " takes a whole number from " + std::to_string(least) +
                     " to " + std::to_string(most) + ", not '" + std::string(text) + "'");
  }
  return number;
}

// What follows "damage:", as in "1:5".
void parse_damage(std::string_view text, Options& options) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    throw UsageError("--fault damage:W:N takes a worker and a frame, such as damage:1:5");
  }
  const auto worker = parse_number("W of --fault damage:W:N", text.substr(0, colon), 0, 1);
  const auto frame = parse_number("N of --fault damage:W:N", text.substr(colon + 1), 0, UINT32_MAX);
  options.faults[static_cast<std::size_t>(worker)].damaged_frames.push_back(frame);
}

void parse_fault(std::string_view text, Options& options) {
  constexpr std::string_view damage_at = "damage:";
  if (text == "none") {
    options.faults = {};
  } else if (text == "swap") {
    options.faults[1].swap_ids = true;
  } else if (text == "damage") {
    options.faults = Options().faults;
  } else if (text.starts_with(damage_at)) {
    parse_damage(text.substr(damage_at.size()), options);
  } else {
    throw UsageError("--fault takes none, damage, damage:W:N or swap, not '" + std::string(text) +
                     "'");
  }
}

struct Setting {
  std::string_view name;
  void (*apply)(std::string_view value, Options& options);
};

constexpr std::array settings{
    Setting{"--epochs",
            [](std::string_view value, Options& options) {
              options.epochs = parse_number("--epochs", value, 1, 10'000'000);
            }},
    Setting{"--in-flight",
            [](std::string_view value, Options& options) {
              options.in_flight =
                  static_cast<std::size_t>(parse_number("--in-flight", value, 8, 150));
            }},
    Setting{"--seed",
            [](std::string_view value, Options& options) {
              options.seed = parse_number("--seed", value, 0, UINT64_MAX);
            }},
    Setting{"--fault", parse_fault},
    Setting{"--dump",
            [](std::string_view value, Options& options) { options.dump_directory = value; }},
    Setting{"--data", [](std::string_view value, Options& options) { options.data = value; }},
};

}  // namespace

Options parse_options(std::span<const char* const> arguments) {
  Options options;
  bool is_first_fault = true;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    const std::string_view name = argument.substr(0, argument.find('='));
    const auto setting = std::ranges::find(settings, name, &Setting::name);
    if (argument == "--help") {
      options.help = true;
    } else if (argument == "--verbose") {
      options.verbose = true;
    } else if (setting == settings.end()) {
      throw UsageError("unknown argument '" + std::string(argument) + "'");
    } else {
      std::string_view value = argument.substr(std::min(name.size() + 1, argument.size()));
      if (name.size() == argument.size() && i + 1 < arguments.size()) value = arguments[++i];
      if (value.empty()) throw UsageError(std::string(name) + " needs a value");
      if (name == "--fault" && std::exchange(is_first_fault, false)) options.faults = {};
      setting->apply(value, options);
    }
  }
  return options;
}

}  // namespace two_workers
