// SPDX-License-Identifier: Apache-2.0
// Every trailer_size, every 3-bit flip of a footer, and random messages, held against the oracle.
#include <cstdio>
#include <random>
#include <string_view>

#include "gradtail/open.hpp"
#include "oracle.hpp"
#include "poke.hpp"
#include "reference.hpp"

namespace {

using reference::Bytes;

/// How much is tried: a sample, or all.
struct Scale {
  std::uint64_t size_step;     ///< distance of the sizes above 8192
  unsigned set_step;           ///< distance of the sets of fields
  std::uint64_t random_count;  ///< messages of each kind
};

constexpr Scale sample{65521, 85, 100'000};
constexpr Scale everything{1, 1, 100'000'000};

/// Counts what was tried and prints the first messages with a wrong answer.
class Tally {
 public:
  explicit Tally(const char* part) : part_(part) {}
  ~Tally() {
    std::printf("%-14s %14llu tried, %llu accepted, %llu wrong\n", part_, tried_, accepted_,
                wrong_);
  }
  Tally(const Tally&) = delete;
  Tally& operator=(const Tally&) = delete;

  void count(bool accepted, bool right, const Bytes& message) {
    ++tried_;
    accepted_ += accepted ? 1U : 0U;
    if (right || ++wrong_ > 5) return;
    std::printf("  WRONG:");
    for (const std::byte byte : message) std::printf(" %02x", std::to_integer<unsigned>(byte));
    std::puts("");
  }
  [[nodiscard]] bool good() const { return wrong_ == 0; }

 private:
  const char* part_;
  unsigned long long tried_ = 0;
  unsigned long long accepted_ = 0;
  unsigned long long wrong_ = 0;
};

/// A damaged message must be refused, for the oracle's reason.
void refuse(const Bytes& message, Tally& tally) {
  const auto opened = gradtail::open(message);
  tally.count(opened.has_value(), !opened && oracle::agrees(opened, oracle::open(message), message),
              message);
}

/// trailer_size in the footers of two trailers, behind payloads that leave no room for a larger
/// size, and room for more than the limit. Only the right size is accepted. The oracle is asked
/// where a size leads to a checksum; its answers to all others follow from the size.
bool every_size(const Scale& scale) {
  using gradtail::Check;
  Tally tally("sizes");
  for (const auto set : {3U, reference::forward_set}) {
    for (const std::size_t payload_size : {0U, 70000U}) {
      Bytes message = reference::message_of(payload_size, reference::fields_of(set, {}));
      const std::size_t right = message.size() - payload_size;
      for (std::uint64_t size = 0; size >> 32 == 0; size += size < 8192 ? 1 : scale.size_step) {
        poke(message, message.size() - 16, size, 4);
        const auto opened = gradtail::open(message);
        const bool plausible = size <= message.size() && size >= 32 && size % 8 == 0;
        const gradtail::Error refused{
            plausible ? gradtail::Code::too_large : gradtail::Code::corrupt,
            plausible ? Check::limit : Check::trailer_size, gradtail::Field::none,
            message.size() - 16};
        const bool summed = plausible && size <= gradtail::Limits{}.trailer_size;
        tally.count(opened.has_value(),
                    summed ? oracle::agrees(opened, oracle::open(message), message) &&
                                 opened.has_value() == (size == right)
                           : !opened && opened.error() == refused,
                    message);
      }
    }
  }
  return tally.good();
}

void flip(Bytes& bytes, std::size_t bit) {
  bytes[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
}

/// Three bits of the footer, wherever they move the range that is summed.
void flip_three(Bytes message, Tally& tally) {
  const std::size_t end = 8 * message.size();
  for (std::size_t a = end - 128; a < end; ++a) {
    flip(message, a);
    for (std::size_t b = a + 1; b < end; ++b) {
      flip(message, b);
      for (std::size_t c = b + 1; c < end; ++c) {
        flip(message, c);
        refuse(message, tally);
        flip(message, c);
      }
      flip(message, b);
    }
    flip(message, a);
  }
}

/// One bit of the footer and another of the whole trailer.
void flip_pairs(Bytes message, std::size_t payload_size, Tally& tally) {
  const std::size_t end = 8 * message.size();
  for (std::size_t a = end - 128; a < end; ++a) {
    flip(message, a);
    for (std::size_t b = 8 * payload_size; b < end; ++b) {
      if (b == a) continue;
      flip(message, b);
      refuse(message, tally);
      flip(message, b);
    }
    flip(message, a);
  }
}

bool every_flip(const Scale& scale) {
  Tally tally("flips");
  const auto map = reference::pairs(128);
  for (const std::size_t payload_size : {0U, 5U, 4096U}) {
    for (const auto set : reference::all_sets) {
      if (set % scale.set_step != 0) continue;
      const auto two = std::span(map).first(2);
      flip_three(reference::message_of(payload_size, reference::fields_of(set, two)), tally);
    }
    flip_pairs(reference::message_of(payload_size,
                                     reference::fields_of(gradtail::detail::all_fields, map)),
               payload_size, tally);
  }
  return tally.good();
}

/// Random messages that end in the magic; with `footer`, in all of a plausible footer but for the
/// checksum.
bool random_messages(const Scale& scale, bool footer) {
  Tally tally(footer ? "random footer" : "random magic");
  std::mt19937_64 random(1);
  for (std::uint64_t i = 0; i < scale.random_count; ++i) {
    Bytes message(32 + random() % (random() % 256 == 0 ? 700 : 96));
    for (std::byte& byte : message) byte = static_cast<std::byte>(random());
    poke(message, message.size() - 4, 0xA74C5447, 4);
    if (footer) {
      poke(message, message.size() - 16, 32 + 8 * (random() % ((message.size() - 24) / 8)), 4);
      poke(message, message.size() - 12, 1, 4);
    }
    refuse(message, tally);
  }
  return tally.good();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view argument = argc == 2 ? argv[1] : "";
  if (argc > 1 && argument != "--all") {
    std::fputs(
        "usage: exhaustive [--all]\nTries a sample of all sizes, flips and random messages, or all "
        "of them (a quarter of an hour).\n",
        argument == "--help" ? stdout : stderr);
    return argument == "--help" ? 0 : 2;
  }
  const Scale scale = argument == "--all" ? everything : sample;
  const bool good = static_cast<int>(every_size(scale)) & static_cast<int>(every_flip(scale)) &
                    static_cast<int>(random_messages(scale, false)) &
                    static_cast<int>(random_messages(scale, true));
  return good ? 0 : 1;
}
