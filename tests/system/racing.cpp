// SPDX-License-Identifier: Apache-2.0
// A peer that writes while we read: whatever it changes after whichever read, every function gives
// a view or an error and stays within the message, and open_copy gives what it has checked.
//
// First each read of the message faults. The handler lets that one instruction through and then, if
// the peer's turn has come, changes what has just been read, so whatever is read twice differs the
// second time. Then a thread writes while another one reads, each without waiting for the other.
// What leads out of the message faults, too, or AddressSanitizer sees it.
//
// Arguments: the seconds for the threads, 1 if there is none.
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>

#include "gradtail/gradtail.hpp"
#include "guarded_memory.hpp"
#include "messages.hpp"
#include "readers.hpp"

#if defined(__x86_64__) && defined(__linux__)
#include <ucontext.h>
#define STOPS_AT_READS 1
#endif

namespace {

using guarded::page_size;
using reference::Bytes;

constexpr std::size_t payload_size = 16;

void require(bool promise, const char* text) {
  if (promise) return;
  std::fprintf(stderr, "broken promise: %s\n", text);
  std::abort();
}

/// A message at the end of a page, with forbidden memory on both sides.
struct Shared {
  static constexpr std::size_t page = 16;

  Shared() { pages.forbid(0, 2 * page + 1); }
  [[nodiscard]] std::span<std::byte> put(const Bytes& message) {
    pages.allow(page, 1);
    const auto end = pages.bytes().first((page + 1) * page_size);
    std::ranges::copy(message, end.last(message.size()).begin());
    return end.last(message.size());
  }

  guarded::Pages pages{2 * page + 1};
};

Shared shared;
std::size_t accepted = 0;

gradtail::TrailerScratch scratch;

/// What a reader gives is in the message or in the scratch; of open_copy, what was checked is what
/// is there: the copy by itself is a good trailer with this metadata.
void read(const readers::Reader& reader, std::span<std::byte> message) {
  const auto view = reader.read(message, scratch, {});
  if (!view) return;
  (void)view->has_unknown_fields();
  shared.pages.allow(Shared::page, 1);
  ++accepted;
  require(is_inside(view->trailer(), message) || is_inside(view->trailer(), scratch.memory()),
          "the trailer is in its memory");
  require(is_inside(std::as_bytes(view->metadata().device_map), view->trailer()),
          "the device map is in the trailer");
  unsigned char stored = 0;
  std::memcpy(&stored, &view->metadata().retain_graph, 1);
  require(stored <= 1, "a bool is 0 or 1");
  if (!reader.copies) return;
  const auto again =
      gradtail::open_trailer(view->trailer(), message.size() - view->trailer().size());
  require(again && again->metadata() == view->metadata(), "open_copy gives what it checked");
}

constexpr readers::Reader detached{"open_trailer", [](auto message, auto&, auto limits) {
                                     return gradtail::open_trailer(message.subspan(payload_size),
                                                                   payload_size, limits);
                                   }};

constexpr auto all_readers = [] {
  std::array<readers::Reader, std::size(readers::all) + 1> all{detached};
  std::ranges::copy(readers::all, all.begin() + 1);
  return all;
}();

#if STOPS_AT_READS

/// Flips bits of the first bytes that the read of this number has read.
struct Change {
  std::size_t read;
  std::size_t size;
  std::byte flip;
};

Change change;
std::size_t reads = 0;
std::byte* read_at = nullptr;

greg_t& flags(void* context) {
  return static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_EFL];
}
constexpr greg_t trap_flag = 0x100;

void on_read(int /*signal*/, siginfo_t* info, void* context) {
  read_at = static_cast<std::byte*>(info->si_addr);
  const auto page = shared.pages.bytes().subspan(Shared::page * page_size, page_size);
  require(is_inside({read_at, 1}, page), "no other memory is read");
  ++reads;
  shared.pages.allow(Shared::page, 1);
  flags(context) |= trap_flag;
}

void on_step(int /*signal*/, siginfo_t* /*info*/, void* context) {
  flags(context) &= ~trap_flag;
  if (reads < change.read) return shared.pages.forbid(Shared::page, 1);
  const std::byte* end = shared.pages.bytes().subspan((Shared::page + 1) * page_size).data();
  const auto size = std::min(change.size, static_cast<std::size_t>(end - read_at));
  for (std::byte& byte : std::span(read_at, size)) byte ^= change.flip;
}

/// Every change of the first bytes of every read.
void change_after_each_read(const Bytes& message) {
  struct sigaction action {};
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  action.sa_sigaction = on_read;
  sigaction(SIGSEGV, &action, nullptr);
  action.sa_sigaction = on_step;
  sigaction(SIGTRAP, &action, nullptr);
  for (const readers::Reader& reader : all_readers) {
    bool reached = true;
    for (change.read = 1; reached; ++change.read) {
      reached = false;
      for (const auto& [size, flip] : {std::pair(1U, 0x40U),
                                       {1U, 0x80U},
                                       {1U, 0xFFU},
                                       {2U, 0x40U},
                                       {2U, 0xFFU},
                                       {4U, 0x80U},
                                       {4U, 0xFFU}}) {
        change.size = size;
        change.flip = static_cast<std::byte>(flip);
        const std::span bytes = shared.put(message);
        reads = 0;
        shared.pages.forbid(Shared::page, 1);
        read(reader, bytes);
        reached |= reads == change.read;
      }
    }
  }
}

#endif

/// Writes another value and the original one, in turn, until told to stop.
void toggle(volatile std::byte& byte, std::byte value, const std::atomic<bool>& stop) {
  const std::byte original = byte;
  while (!stop.load(std::memory_order_relaxed)) {
    for (int i = 0; i < 64; ++i) {
      byte = value;
      byte = original;
    }
  }
}

void race(const Bytes& message, std::mt19937& random) {
  constexpr unsigned values[] = {0, 1, 0x3F, 0x40, 0x7F, 0x80, 0xC8, 0xFE, 0xFF};
  const std::span bytes = shared.put(message);
  std::byte& byte = bytes[payload_size + random() % (message.size() - payload_size)];
  const auto value = static_cast<std::byte>(values[random() % std::size(values)]);
  std::atomic<bool> stop = false;
  std::thread writer([&] { toggle(byte, value, stop); });
  for (int i = 0; i < 500; ++i) {
    for (const readers::Reader& reader : all_readers) read(reader, bytes);
  }
  stop = true;
  writer.join();
}

}  // namespace

// NOLINTNEXTLINE(bugprone-exception-escape): it ends the test, as a broken promise does
int main(int argc, char** argv) {
  auto map = reference::pairs(5);
  for (auto& pair : map) pair.target.index = 5;  // so that targets are compared
  const auto full = reference::fields_of(gradtail::detail::all_fields, map);
  const auto mapped = reference::fields_of(reference::mapped_set, map);
  const Bytes messages[] = {reference::message_of(payload_size, reference::forward),
                            reference::message_of(payload_size, mapped),
                            reference::message_of(payload_size, full)};
  for (const Bytes& message : messages) {
    require(gradtail::open(message).has_value(), "the message is good until it changes");
#if STOPS_AT_READS
    change_after_each_read(message);
#endif
  }
  const std::chrono::duration<double> limit(argc > 1 ? std::atof(argv[1]) : 1.0);
  const auto begin = std::chrono::steady_clock::now();
  std::mt19937 random(1);
  while (std::chrono::steady_clock::now() - begin < limit) {
    for (const Bytes& message : messages) race(message, random);
  }
  std::printf("%zu accepted\n", accepted);
  return accepted == 0 ? 1 : 0;
}
