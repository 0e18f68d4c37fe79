// SPDX-License-Identifier: Apache-2.0
// A peer that writes while we read: every function gives a view or an error, and open_copy gives
// what it has checked. Meant for AddressSanitizer, which sees an access that is out of bounds.
//
// Arguments: the seconds to run, 1 if there is none.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <span>
#include <thread>

#include "gradtail/gradtail.hpp"
#include "oracle.hpp"
#include "poke.hpp"
#include "reference.hpp"

namespace {

using gradtail::MessageView;
using gradtail::TrailerView;
using reference::Bytes;

constexpr std::size_t payload_size = 16;

void require(bool promise, const char* text) {
  if (promise) return;
  std::fprintf(stderr, "broken promise: %s\n", text);
  std::abort();
}

bool is_inside(std::span<const std::byte> part, std::span<const std::byte> whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_view(const TrailerView& view, std::span<const std::byte> memory) {
  require(is_inside(view.trailer(), memory), "the trailer is in its memory");
  require(is_inside(std::as_bytes(view.metadata().device_map), view.trailer()),
          "the device map is in the trailer");
  (void)to_string(view.metadata());  // reads all of it
}

/// Bytes that one thread writes and another one reads, each without waiting for the other.
class SharedMessage {
 public:
  explicit SharedMessage(Bytes message)
      : original_(std::move(message)), bytes_(new std::byte[original_.size()]) {
    std::ranges::copy(original_, bytes_);
  }
  ~SharedMessage() { delete[] bytes_; }
  SharedMessage(const SharedMessage&) = delete;
  SharedMessage& operator=(const SharedMessage&) = delete;

  [[nodiscard]] std::span<const std::byte> view() const { return {bytes_, original_.size()}; }
  [[nodiscard]] std::size_t size() const { return original_.size(); }

  /// Writes another value and the original one, in turn, until told to stop.
  void toggle(std::size_t at, std::byte value, const std::atomic<bool>& stop) const {
    volatile std::byte* byte = bytes_ + at;
    while (!stop.load(std::memory_order_relaxed)) {
      for (int i = 0; i < 64; ++i) {
        *byte = value;
        *byte = original_[at];
      }
    }
    *byte = original_[at];
  }

 private:
  Bytes original_;
  std::byte* bytes_;
};

unsigned long long accepted = 0;

void read_once(const SharedMessage& shared) {
  const auto bytes = shared.view();
  const auto trailer = bytes.subspan(payload_size);
  if (const auto view = gradtail::open(bytes)) check_view(*view, bytes), ++accepted;
  if (const auto view = gradtail::open_trailer(trailer, payload_size)) check_view(*view, trailer);
  gradtail::TrailerScratch scratch;
  const std::span<const std::byte> cut[] = {bytes.first(40), bytes.subspan(40)};
  if (const auto view = gradtail::open(cut, scratch)) check_view(*view, scratch.memory());
  (void)gradtail::peek(bytes, bytes.size());
  if (const auto view = gradtail::open_copy(bytes, scratch)) {
    check_view(*view, scratch.memory());
    // What was checked is what is there: the copy by itself is a good trailer with this metadata.
    const auto again = gradtail::open_trailer(view->trailer(), view->payload_size());
    require(again && again->metadata() == view->metadata(), "open_copy gives what it checked");
  }
  gradtail::TrailerScratch other;
  if (const auto view = gradtail::open_copy(cut, other)) check_view(*view, other.memory());
}

/// Bytes of a table without a template, so that the full parser reads it.
Bytes untemplated() { return reference::message_of(payload_size, reference::full); }

Bytes with_targets_of_one_index() {
  static auto map = reference::pairs(8);
  for (auto& pair : map) pair.target.index = 5;
  return reference::message_of(payload_size, reference::fields_of(reference::mapped_set, map));
}

}  // namespace

int main(int argc, char** argv) {
  const std::chrono::duration<double> limit(argc > 1 ? std::atof(argv[1]) : 1.0);
  const auto begin = std::chrono::steady_clock::now();
  std::mt19937 random(1);
  unsigned long long rounds = 0;
  while (std::chrono::steady_clock::now() - begin < limit) {
    for (const Bytes& message : {untemplated(), with_targets_of_one_index()}) {
      const SharedMessage shared(message);
      const std::size_t at = payload_size + random() % (message.size() - payload_size);
      constexpr unsigned values[] = {0, 1, 0x3F, 0x40, 0x7F, 0x80, 0xC8, 0xFE, 0xFF};
      const auto value = static_cast<std::byte>(values[random() % std::size(values)]);
      std::atomic<bool> stop = false;
      std::thread writer([&] { shared.toggle(at, value, stop); });
      for (int i = 0; i < 500; ++i, ++rounds) read_once(shared);
      stop = true;
      writer.join();
      require(gradtail::open(shared.view()).has_value(), "the message is as it was");
    }
  }
  std::printf("%llu rounds, %llu of them accepted\n", rounds, accepted);
  return 0;
}
