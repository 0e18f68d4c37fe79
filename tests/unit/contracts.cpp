// SPDX-License-Identifier: Apache-2.0
// What compiles and what doesn't, what can't throw, and which numbers never change.
#include <doctest/doctest.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <deque>
#include <iterator>
#include <list>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "gradtail/gradtail.hpp"

using namespace gradtail;  // NOLINT: nearly every name of it is used here

namespace contracts {

using Spans = std::vector<std::span<const std::byte>>;

template <class... Arguments>
concept Opens = requires(Arguments&&... arguments) {
  gradtail::open(std::forward<Arguments>(arguments)...);
};

template <class Bytes>
concept OpensTrailer = requires(Bytes&& bytes) {
  gradtail::open_trailer(std::forward<Bytes>(bytes), 0);
};

template <class... Arguments>
concept Copies = requires(Arguments&&... arguments) {
  gradtail::open_copy(std::forward<Arguments>(arguments)...);
};

template <class... Arguments>
concept Strips = requires(Arguments&&... arguments) {
  gradtail::strip(std::forward<Arguments>(arguments)...);
};

template <class Room>
concept Writes = requires(Room&& room) {
  gradtail::write_trailer(std::forward<Room>(room), AutogradMetadata{}, 0);
};

template <class Buffer>
concept Appends = requires(Buffer&& buffer) {
  gradtail::append(std::forward<Buffer>(buffer), AutogradMetadata{});
};

template <class T>
concept GivesBytes = requires(T&& trailer) {
  std::forward<T>(trailer).bytes();
};

template <class T>
concept GivesMemory = requires(T&& scratch) {
  std::forward<T>(scratch).memory();
};

template <class R>
concept PointsInto = requires(R&& result) {
  std::forward<R>(result).operator->();
};

template <class Owner>
concept OpensBraced = requires(Owner&& owner) {
  gradtail::open({std::forward<Owner>(owner)});
};

/// As asio::const_buffer: no range, but data() and size().
struct ConstBuffer {
  const void* data() const;
  std::size_t size() const;
};

/// Trivially copyable and as small as a pointer or two, and yet it holds its bytes.
struct InlineBuffer {
  const void* data() const { return bytes; }
  std::size_t size() const { return sizeof bytes; }
  char bytes[16];
};

/// As an iovec, but it holds its bytes.
struct InlineIovec {
  char iov_base[16];
  std::size_t iov_len;
};

/// As an iovec, but it has room for the bytes of short messages.
struct IovecWithRoom : iovec {
  char room[16];
};

/// As an iovec, but it frees its bytes.
struct OwningIovec {
  ~OwningIovec();
  void* iov_base;
  std::size_t iov_len;
};

/// Contiguous bytes that can't be read while it is const.
struct OnlyMutable {
  char* begin();
  char* end();
};

/// Containers that lack one thing each.
struct WithoutResize : std::vector<char> {
  void resize(std::size_t) = delete;
};
struct WithoutReserve : std::vector<char> {
  void reserve(std::size_t) = delete;
};
struct WithoutCapacity : std::vector<char> {
  void capacity() const = delete;
};

/// Owns its bytes and is no range, but converts to one.
struct ConvertingOwner {
  operator std::span<const std::byte>() const { return bytes; }  // NOLINT: what is tested
  std::vector<std::byte> bytes;
};

/// A forward range whose elements are made anew each time they are looked at.
template <class T>
struct Generated {
  struct Iterator {
    using value_type = std::remove_cvref_t<T>;
    using difference_type = std::ptrdiff_t;
    T operator*() const;
    Iterator& operator++();
    Iterator operator++(int);
    bool operator==(const Iterator&) const;
  };
  Iterator begin() const;
  Iterator end() const;
};

}  // namespace contracts

template <>
inline constexpr bool gradtail::enable_borrowed_segment<contracts::ConstBuffer> = true;

using namespace contracts;  // NOLINT: named only because its functions have no bodies

TEST_CASE("bytes that stay are opened, an owner that goes doesn't compile") {
  static_assert(Opens<const std::vector<unsigned char>&>);
  static_assert(Opens<char(&)[64]>);
  static_assert(Opens<std::span<const std::byte>>);
  static_assert(Opens<std::span<char>>);
  static_assert(Opens<std::string_view>);
  static_assert(Opens<std::string_view, Limits>);
  static_assert(!Opens<std::vector<std::byte>>);  // which would convert to the span overload
  static_assert(!Opens<const std::vector<std::byte>>);
  static_assert(!Opens<std::vector<std::byte>, Limits>);
  static_assert(!Opens<std::string>);
  static_assert(!Opens<std::array<std::byte, 64>>);
  static_assert(!Opens<char[64]>);
  static_assert(!Opens<ConvertingOwner>);
  static_assert(!Opens<std::vector<int>&>);
  static_assert(!Opens<std::vector<char8_t>&>);
  static_assert(!Opens<OnlyMutable&>);
  static_assert(OpensTrailer<std::string&> && OpensTrailer<std::string_view>);
  static_assert(!OpensTrailer<std::string> && !OpensTrailer<std::array<std::byte, 64>>);
  static_assert(Copies<std::string&, TrailerScratch&> && Copies<Spans&, TrailerScratch&>);
  static_assert(!Copies<std::string, TrailerScratch&> && !Copies<Spans, TrailerScratch&>);
  static_assert(!Copies<std::string&, TrailerScratch>);
}

TEST_CASE("segments that stay are opened, an owner of segments that goes doesn't compile") {
  static_assert(Opens<Spans&, TrailerScratch&>);
  static_assert(Opens<const Spans&, TrailerScratch&, Limits>);
  static_assert(Opens<std::span<iovec>, TrailerScratch&>);
  static_assert(Opens<iovec(&)[2], TrailerScratch&>);
  static_assert(Opens<PayloadSegments<Spans::const_iterator>, TrailerScratch&>);
  static_assert(!Opens<Spans, TrailerScratch&>);
  static_assert(!Opens<const Spans, TrailerScratch&>);
  static_assert(!Opens<std::list<std::string>, TrailerScratch&, Limits>);
  static_assert(!Opens<std::array<iovec, 2>, TrailerScratch&>);
  static_assert(!Opens<Spans&, TrailerScratch>);  // the scratch is lent too
  static_assert(!Opens<Spans&>);
}

TEST_CASE("segments are bytes, data() and size(), or an iovec; no owning temporaries") {
  static_assert(SegmentRange<Spans>);
  static_assert(SegmentRange<Generated<std::span<const std::byte>>>);
  static_assert(SegmentRange<Generated<ConstBuffer>>);
  static_assert(SegmentRange<Generated<iovec>>);
  static_assert(SegmentRange<Generated<std::string&>>);
  static_assert(!SegmentRange<Generated<std::string>>);
  static_assert(!SegmentRange<Generated<std::vector<std::byte>>>);
  static_assert(!SegmentRange<Generated<std::array<std::byte, 8>>>);
  static_assert(!SegmentRange<Generated<InlineBuffer>>);
  static_assert(!SegmentRange<Generated<InlineIovec>>);
  static_assert(!SegmentRange<Generated<IovecWithRoom>>);
  static_assert(!SegmentRange<Generated<OwningIovec>>);
  static_assert(SegmentRange<std::vector<InlineBuffer>> && SegmentRange<std::vector<InlineIovec>>);
  static_assert(!Opens<Generated<InlineBuffer>&, TrailerScratch&>);
  static_assert(!SegmentRange<std::vector<int>>);
  static_assert(!SegmentRange<std::vector<char>>);
  static_assert(!SegmentRange<std::vector<std::vector<int>>>);
  static_assert(!SegmentRange<std::vector<std::span<const std::uint16_t>>>);
}

TEST_CASE("containers of bytes that grow and shrink are appended to and stripped, others aren't") {
  static_assert(!ByteContainer<std::array<char, 64>>);
  static_assert(!ByteContainer<WithoutResize>);
  static_assert(!ByteContainer<WithoutReserve>);
  static_assert(!ByteContainer<WithoutCapacity>);
  static_assert(!ByteContainer<std::span<char>>);
  static_assert(!ByteContainer<std::string_view>);
  static_assert(!ByteContainer<const std::vector<char>>);
  static_assert(!ByteContainer<std::vector<int>>);
  static_assert(!ByteContainer<std::vector<bool>>);
  static_assert(!ByteContainer<std::u8string>);
  static_assert(!ByteContainer<std::deque<char>>);
  static_assert(Appends<std::string&>);
  static_assert(!Appends<std::string>);
  static_assert(!Appends<const std::string&>);
  static_assert(!Strips<std::string, TrailerScratch&>);
  static_assert(!Strips<const std::string&, TrailerScratch&>);
  static_assert(!Strips<std::string&, TrailerScratch>);
}

TEST_CASE("trailers are written to memory that stays, and lend their bytes only while they stay") {
  static_assert(Writes<std::vector<char>&>);
  static_assert(Writes<std::span<unsigned char>>);
  static_assert(Writes<std::byte(&)[64]>);
  static_assert(!Writes<std::vector<std::byte>>);
  static_assert(!Writes<std::vector<int>&>);
  static_assert(!Writes<const std::vector<char>&>);
  static_assert(!Writes<std::string_view>);
  static_assert(GivesBytes<Trailer&>);
  static_assert(GivesBytes<const Trailer&>);
  static_assert(!GivesBytes<Trailer>);
  static_assert(!GivesBytes<const Trailer>);
  static_assert(GivesMemory<TrailerScratch&> && !GivesMemory<TrailerScratch>);
  static_assert(PointsInto<Result<Trailer>&> && PointsInto<const Result<Trailer>&>);
  static_assert(!PointsInto<Result<Trailer>>);  // Trailer::make(...)->bytes() would dangle
  static_assert(!PointsInto<const Result<Trailer>>);
  static_assert(!OpensBraced<std::vector<std::byte>>);
  static_assert(!Opens<std::span<volatile char>>);
  // Of a temporary, the value itself: a reference to it or into it would dangle.
  static_assert(std::is_same_v<decltype(open(Spans{}[0]).value()), MessageView>);
  static_assert(std::is_same_v<decltype(*open(Spans{}[0])), MessageView>);
  static_assert(std::is_same_v<decltype(open(Spans{}[0]).error()), Error>);
  static_assert(std::is_same_v<decltype(MessageView().metadata()), AutogradMetadata>);
}

TEST_CASE("views are cheap to copy, the scratch stays where it is") {
  static_assert(std::is_trivially_copyable_v<AutogradMetadata>);
  static_assert(std::is_aggregate_v<AutogradMetadata>);
  static_assert(std::is_trivially_copyable_v<Error>);
  static_assert(std::is_trivially_copyable_v<TrailerView>);
  static_assert(std::is_trivially_copyable_v<MessageView>);
  static_assert(std::is_trivially_copyable_v<SegmentedMessageView<Spans::const_iterator>>);
  // Only the parser makes views that hold anything.
  static_assert(!std::is_default_constructible_v<detail::ParserKey>);
  static_assert(!std::is_constructible_v<TrailerView, AutogradMetadata, Spans::value_type>);
  static_assert(!std::is_constructible_v<MessageView, TrailerView, std::size_t>);
  static_assert(std::is_trivially_copyable_v<Result<MessageView>>);
  static_assert(std::is_trivially_copyable_v<Trailer>);
  static_assert(!std::is_copy_constructible_v<TrailerScratch>);
  static_assert(!std::is_move_constructible_v<TrailerScratch>);
  static_assert(!std::is_copy_constructible_v<IdGenerator>);
  static_assert(std::ranges::forward_range<PayloadSegments<Spans::const_iterator>>);
}

TEST_CASE("what is declared not to throw is declared so") {
  using Message = std::span<const std::byte>;
  static_assert(noexcept(open(Message{})));
  static_assert(noexcept(open(std::declval<std::string&>(), Limits{})));
  static_assert(noexcept(open_trailer(Message{}, 0))&& noexcept(peek(Message{}, 0)));
  static_assert(noexcept(open_copy(Message{}, std::declval<TrailerScratch&>())));
  static_assert(noexcept(trailer_size(AutogradMetadata{})));
  static_assert(noexcept(write_trailer(std::span<std::byte>{}, AutogradMetadata{}, 0)));
  static_assert(noexcept(write_trailer(std::declval<std::string&>(), AutogradMetadata{}, 0)));
  static_assert(noexcept(Trailer::make(AutogradMetadata{}, 0)));
  static_assert(noexcept(std::declval<Trailer&>().bytes()));
  static_assert(noexcept(std::declval<MessageView&>().metadata()));
  static_assert(noexcept(std::declval<MessageView&>().payload()));
  static_assert(noexcept(std::declval<MessageView&>().trailer()));
  static_assert(noexcept(compose_id(0, 0))&& noexcept(id_worker(0))&& noexcept(id_counter(0)));
  static_assert(noexcept(IdGenerator(0))&& noexcept(std::declval<IdGenerator&>().next()));
  static_assert(noexcept(TrailerScratch())&& noexcept(to_string(Code::absent)));
}

TEST_CASE("the numbers that others rely on are what they were") {
  static_assert(sizeof(Device) == 2 && offsetof(Device, type) == 0 && offsetof(Device, index) == 1);
  static_assert(sizeof(DevicePair) == 4 && alignof(DevicePair) == 1);
  static_assert(offsetof(DevicePair, source) == 0 && offsetof(DevicePair, target) == 2);
  static_assert(format_version == 1 && footer_size == 16 && min_trailer_size == 32);
  static_assert(max_device_pairs == 128);
  static_assert(Limits{}.trailer_size == 4096 && Limits::most == 65536);
  static_assert(max_id_worker == 32767 && max_id_counter == 0xFFFFFFFFFFFE);
  static_assert(sizeof(Trailer) == max_trailer_size + sizeof(std::size_t));
  const auto counts_up = [](auto... numbers) {
    int expected = 0;
    return ((static_cast<int>(numbers) == ++expected) && ...);
  };
  static_assert(counts_up(Code::absent, Code::unsupported, Code::corrupt, Code::too_large,
                          Code::invalid, Code::no_space));
  static_assert(counts_up(Check::magic, Check::version, Check::required_flags, Check::trailer_size,
                          Check::limit, Check::checksum, Check::identifier, Check::layout,
                          Check::values, Check::room, Check::presence));
  static_assert(counts_up(Field::context_id, Field::message_id, Field::from_worker_id,
                          Field::device_map_size, Field::device_map_type, Field::device_map_index,
                          Field::device_map_source, Field::device_map_target, Field::retain_graph,
                          Field::rref_created_on, Field::rref_local_id, Field::id_worker,
                          Field::id_counter, Field::wrapped_message_type));
  static_assert(static_cast<int>(Field::none) == 0);
}
