// SPDX-License-Identifier: Apache-2.0
// No public function takes more than 2 KiB of stack, whatever the bytes and the limit: each runs on
// a painted stack of its own.
#include <doctest/doctest.h>
#include <ucontext.h>

#include <algorithm>
#include <new>
#include <optional>
#include <random>

#include "gradtail/gradtail.hpp"
#include "poke.hpp"
#include "printing.hpp"

using gradtail::AutogradMetadata;
using gradtail::DevicePair;
using gradtail::TrailerScratch;
using reference::Bytes;

namespace {

#if defined(__powerpc64__)  // its calls take more
constexpr std::size_t most = 2304;
#else
constexpr std::size_t most = 2048;
#endif

// Without optimization, frames have copies of everything that is inlined, and sanitizers add more.
#if !defined(__OPTIMIZE__) || defined(__SANITIZE_ADDRESS__)
constexpr bool is_comparable = false;
#elif defined(__has_feature)
constexpr bool is_comparable =
    !__has_feature(address_sanitizer) && !__has_feature(memory_sanitizer);
#else
constexpr bool is_comparable = true;
#endif

/// Runs functions on a stack whose bytes are known before, to see how many were written.
class PaintedStack {
 public:
  PaintedStack() : unused_(measure([] {})) {}

  /// Bytes of stack that the function took, without those of calling it.
  template <class F>
  std::size_t used_by(F function) {
    return measure(function) - unused_;
  }

 private:
  template <class F>
  std::size_t measure(F function) {
    std::ranges::fill(memory_, paint);
    ucontext_t here{};
    ucontext_t there{};
    getcontext(&there);
    there.uc_stack.ss_sp = memory_.data();
    there.uc_stack.ss_size = memory_.size();
    there.uc_link = &here;
    run_ = [](void* f) { (*static_cast<F*>(f))(); };
    function_ = &function;
    current = this;
    makecontext(
        &there, [] { current->run_(current->function_); }, 0);
    swapcontext(&here, &there);
    const auto first = std::ranges::find_if(memory_, [](std::byte b) { return b != paint; });
    return static_cast<std::size_t>(memory_.end() - first);
  }

  static constexpr std::byte paint{0xA5};
  static inline PaintedStack* current = nullptr;
  void (*run_)(void*) = nullptr;
  void* function_ = nullptr;
  Bytes memory_ = Bytes(std::size_t{64} * 1024);
  std::size_t unused_ = 0;
};

/// Memory for a result, so that it isn't counted: it belongs to the caller.
template <class T>
struct Result {
  alignas(T) std::byte memory[sizeof(T)];
  template <class F>
  void operator=(F make) {
    new (memory) T(make());
  }
};

std::vector<Bytes> hostile_messages() {
  std::vector<Bytes> messages;
  const auto map = reference::pairs(128);
  for (const auto set : reference::all_sets) {
    for (const std::size_t count : {std::size_t{1}, std::size_t{4}, std::size_t{128}}) {
      messages.push_back(
          reference::message_of(9, reference::fields_of(set, std::span(map).first(count))));
    }
  }
  std::vector<DevicePair> same_index = map;
  for (DevicePair& pair : same_index) pair.target.index = 5;  // so that targets are compared
  for (const std::size_t count : {std::size_t{4}, std::size_t{64}, std::size_t{128}}) {
    for (const auto set : {reference::map_only, reference::mapped_set}) {
      messages.push_back(
          reference::message_of(9, reference::fields_of(set, std::span(same_index).first(count))));
    }
  }
  // Of every kind of damage.
  const Bytes good = reference::message_of(24, reference::full);
  for (std::size_t at = 24; at < good.size(); ++at) {
    for (const bool mended : {false, true}) {
      Bytes bad = good;
      bad[at] ^= std::byte{0x55};
      if (mended && at < good.size() - 16) reference::mend_checksum(bad);
      messages.push_back(bad);
    }
  }
  // Tables of up to the highest limit, one with a map that fills it.
  for (const std::size_t size : {std::size_t{4080}, std::size_t{65520}}) {
    Bytes table = reference::table_of(reference::mapped);
    const std::size_t map_at = table.size() - 12;
    table.resize(size);
    messages.push_back(reference::trailer_around(table, 0));
    poke(table, map_at, (size - map_at - 4) / 4, 4);
    messages.push_back(reference::trailer_around(table, 0));
  }
  return messages;
}

}  // namespace

TEST_CASE("reading takes at most 2 KiB of stack" * doctest::skip(!is_comparable)) {
  PaintedStack stack;
  static TrailerScratch scratch;
  static Bytes large(65536);
  static TrailerScratch large_scratch{std::span<std::byte>(large)};
  using View = gradtail::MessageView;
  static Result<gradtail::Result<View>> view;
  static Result<gradtail::Result<gradtail::TrailerView>> trailer;
  using Spans = std::vector<std::span<const std::byte>>;
  static Result<gradtail::Result<gradtail::SegmentedMessageView<Spans::const_iterator>>> pieces;
  for (const Bytes& message : hostile_messages()) {
    const std::span bytes = message;
    const Spans cut{bytes.first(bytes.size() / 2), bytes.subspan(bytes.size() / 2)};
    Bytes buffer = message;
    const auto check = [&](auto function) { CHECK(stack.used_by(function) <= most); };
    for (const gradtail::Limits limits : {gradtail::Limits{}, gradtail::Limits{65536}}) {
      check([&] { view = [&] { return gradtail::open(bytes, limits); }; });
      check([&] { view = [&] { return gradtail::open_copy(bytes, large_scratch, limits); }; });
      check([&] { trailer = [&] { return gradtail::open_trailer(bytes, 0, limits); }; });
      check([&] { pieces = [&] { return gradtail::open(cut, large_scratch, limits); }; });
      check([&] { pieces = [&] { return gradtail::open_copy(cut, scratch, limits); }; });
    }
    check([&] { trailer = [&] { return gradtail::strip(buffer, scratch); }; });
    check([&] { (void)gradtail::peek(bytes, bytes.size()); });
  }
}

TEST_CASE("all the rest takes at most 2 KiB of stack" * doctest::skip(!is_comparable)) {
  PaintedStack stack;
  const std::vector<DevicePair> map = reference::pairs(128);
  const AutogradMetadata metadata = reference::fields_of(gradtail::detail::all_fields, map);
  const Bytes message = reference::message_of(9, metadata);
  const std::span<const std::byte> bytes = message;
  const std::vector<std::span<const std::byte>> pieces{bytes.first(70), bytes.subspan(70)};
  const auto view = gradtail::open(message).value();
  const auto check = [&](auto function) { CHECK(stack.used_by(function) <= most); };
  check([&] { (void)view.has_unknown_fields(); });
  check([&] { (void)gradtail::is_present(metadata, gradtail::Field::rref_local_id); });
  check([&] { (void)(metadata == view.metadata()); });
  check([&] { (void)gradtail::OwnedMetadata(metadata); });
  check([&] { (void)gradtail::inverse(map); });
  check([&] { (void)gradtail::first(pieces, 50); });
  check([&] { (void)gradtail::IdGenerator(1).next(); });
  check([&] { (void)to_string(metadata); });
  check([&] { (void)to_string(metadata.device_map[0].source); });
  for (const gradtail::Field field : {gradtail::Field::context_id, gradtail::Field::id_counter}) {
    const gradtail::Error error{gradtail::Code::invalid, gradtail::Check::values, field};
    check([&] { (void)to_string(error); });
    check([&] { (void)to_string(field); });
  }
}

TEST_CASE("writing takes at most 2 KiB of stack" * doctest::skip(!is_comparable)) {
  PaintedStack stack;
  std::vector<DevicePair> map = reference::pairs(128);
  std::shuffle(map.begin(), map.end(), std::mt19937(1));
  std::vector<DevicePair> bad = map;
  bad.back().target = bad.front().target;
  static Result<gradtail::Result<gradtail::Trailer>> trailer;
  for (const auto set : reference::all_sets) {
    for (const auto& pairs : {reference::pairs(4), reference::pairs(128), map, bad}) {
      const AutogradMetadata metadata = reference::fields_of(set, pairs);
      static Bytes room(gradtail::max_trailer_size);
      Bytes tight(100);
      Bytes roomy(100);
      roomy.reserve(1000);
      const auto check = [&](auto function) { CHECK(stack.used_by(function) <= most); };
      check([&] { (void)gradtail::trailer_size(metadata); });
      check([&] { (void)gradtail::write_trailer(room, metadata, 1); });
      check([&] { (void)gradtail::write_trailer(std::span(room).first(8), metadata, 1); });
      check([&] { trailer = [&] { return gradtail::Trailer::make(metadata, 1); }; });
      check([&] { (void)gradtail::append(tight, metadata); });
      check([&] { (void)gradtail::append(roomy, metadata); });
    }
  }
}
