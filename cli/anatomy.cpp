// SPDX-License-Identifier: Apache-2.0
#include "anatomy.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

#include "gradtail/open.hpp"
#include "hints.hpp"
#include "layout_reason.hpp"
#include "locate.hpp"

namespace gradtail::cli {
namespace {

std::string hex32(std::uint32_t number) {
  std::array<char, 16> text;
  std::snprintf(text.data(), text.size(), "0x%08x", number);
  return text.data();
}

std::string count(std::size_t number, std::string_view what) {
  return std::to_string(number) + " " + std::string(what) + (number == 1 ? "" : "s");
}

bool has_magic(const detail::Footer& footer) {
  return footer.magic == detail::Footer::expected_magic;
}

/// Collects the parts of one message.
class Dissector {
 public:
  Dissector(std::span<const std::byte> bytes, std::optional<std::uint64_t> payload_size,
            Anatomy& anatomy)
      : bytes_(bytes), detached_payload_size_(payload_size), anatomy_(anatomy) {}

  void run() {
    if (bytes_.size() < footer_size) {
      add(Kind::payload, 0, bytes_.size(), "bytes", "fewer than the 16 of a footer");
      return;
    }
    const detail::Footer footer = footer_of(bytes_);
    const std::size_t t = footer.trailer_size;
    const bool is_possible = t >= min_trailer_size && t <= bytes_.size() && t % 8 == 0;
    // Other bytes in place of the magic are a trailer's only if all else looks like one.
    if (!has_magic(footer) && !(is_possible && footer.version == format_version)) {
      add(Kind::payload, 0, bytes_.size() - 4, "payload", count(bytes_.size() - 4, "byte"));
      add(Kind::footer, bytes_.size() - 4, 4, "magic", "not 47 54 4c a7");
      return;
    }
    if (is_possible && footer.version == format_version) {
      anatomy_.trailer_at = bytes_.size() - t;
    }
    const std::size_t table_end = bytes_.size() - footer_size;
    const std::size_t payload_end = anatomy_.trailer_at.value_or(table_end);
    if (payload_end != 0) {
      add(Kind::payload, 0, payload_end, anatomy_.trailer_at ? "payload" : "bytes",
          anatomy_.trailer_at ? count(payload_end, "byte")
                              : count(payload_end, "byte") + ": payload and table");
    }
    if (anatomy_.trailer_at) add_table(bytes_.subspan(payload_end, table_end - payload_end));
    add_footer(footer);
    fill_gaps();
  }

 private:
  void add(Kind kind, std::size_t offset, std::size_t size, std::string name, std::string meaning) {
    anatomy_.parts.push_back({kind, offset, size, std::move(name), std::move(meaning)});
  }

  void add_table(std::span<const std::byte> table) {
    const std::size_t base = *anatomy_.trailer_at;
    const auto position = [&](std::size_t at) { return "byte " + std::to_string(base + at); };
    const auto located = locate(table);
    const bool is_known = number_at(table, 4, 4) == 0x444D4741;
    add(Kind::table, base, 4, "root offset",
        located ? "to " + position(located->root) : std::to_string(number_at(table, 0, 4)));
    add(Kind::table, base + 4, 4, "identifier", is_known ? "AGMD" : "not AGMD");
    if (!located) {
      add(Kind::table, base + 8, table.size() - 8, "table",
          is_known ? layout_reason(table, base) : "of another kind");
      return;
    }
    add_vtable(table, *located);
    add(Kind::table, base + located->root, 4, "vtable offset", "to " + position(located->vtable));
    for (const LocatedField& field : located->fields) {
      const bool is_map = field.name == "device_map";
      add(Kind::field, base + field.at, field.size, field.name,
          is_map ? field.meaning + ", at " + position(located->map) : field.meaning);
    }
    if (located->map != 0) add_map(table, *located);
  }

  void add_vtable(std::span<const std::byte> table, const LocatedTable& located) {
    const std::size_t at = located.vtable;
    const std::size_t base = *anatomy_.trailer_at + at;
    add(Kind::table, base, 2, "vtable size", std::to_string(located.vtable_size));
    if (located.vtable_size < 4) return;
    add(Kind::table, base + 2, 2, "object size",
        std::to_string(number_at(table, at + 2, 2)) + ", not checked");
    for (std::size_t slot = 0; 4 + 2 * slot < located.vtable_size; ++slot) {
      const std::uint64_t offset = number_at(table, at + 4 + 2 * slot, 2);
      const auto field = field_in(slot);
      const std::string target =
          "at byte " + std::to_string(*anatomy_.trailer_at + located.root + offset);
      add(Kind::table, base + 4 + 2 * slot, 2, "slot " + std::to_string(slot),
          (field ? field->name : "a field of a newer version") + ", " +
              (offset == 0 ? "absent"
               : field     ? target
                           : "ignored"));
    }
  }

  void add_map(std::span<const std::byte> table, const LocatedTable& located) {
    const std::size_t base = *anatomy_.trailer_at;
    add(Kind::field, base + located.map, 4, "device_map", count(located.pair_count, "pair"));
    for (std::size_t i = 0; i < located.pair_count; ++i) {
      const std::size_t at = located.map + 4 + 4 * i;
      const auto byte = [&](std::size_t k) { return static_cast<std::int8_t>(table[at + k]); };
      const auto device = [](std::int8_t type, std::int8_t index) {
        return type >= 0 && index >= -1
                   ? to_string(Device{type, index})
                   : "type " + std::to_string(type) + " index " + std::to_string(index);
      };
      add(Kind::field, base + at, 4, "pair " + std::to_string(i),
          device(byte(0), byte(1)) + " -> " + device(byte(2), byte(3)));
    }
  }

  void add_footer(const detail::Footer& footer) {
    const std::size_t at = bytes_.size() - footer_size;
    const std::uint16_t flags = footer.required_flags;
    add(Kind::footer, at, 4, "trailer_size", std::to_string(footer.trailer_size));
    add(Kind::footer, at + 4, 2, "version", std::to_string(footer.version));
    add(Kind::footer, at + 6, 2, "required_flags",
        flags == 0 ? "none" : hex32(flags).substr(0, 2) + hex32(flags).substr(6) + ": unknown");
    add(Kind::footer, at + 8, 4, "checksum", hex32(footer.checksum) + checksum_verdict(footer));
    add(Kind::footer, at + 12, 4, "magic", has_magic(footer) ? "" : "not 47 54 4c a7");
  }

  [[nodiscard]] std::string checksum_verdict(const detail::Footer& footer) const {
    if (!anatomy_.trailer_at) return "";
    const std::uint64_t payload_size = detached_payload_size_.value_or(*anatomy_.trailer_at);
    const auto trailer = bytes_.subspan(*anatomy_.trailer_at);
    const auto right = detail::checksum_of(trailer.data(), trailer.size(), payload_size);
    return right == footer.checksum ? ", correct" : ", but it should be " + hex32(right);
  }

  /// Gives a part to bytes that have none.
  void fill_gaps() {
    std::vector<Part>& parts = anatomy_.parts;
    std::ranges::stable_sort(parts, {}, &Part::offset);
    std::vector<Part> gaps;
    std::size_t end = 0;
    for (const Part& part : parts) {
      if (part.offset > end) {
        const auto gap = bytes_.subspan(end, part.offset - end);
        const bool is_zero = std::ranges::all_of(gap, [](std::byte b) { return b == std::byte{}; });
        gaps.push_back({Kind::table, end, gap.size(), "gap", is_zero ? "zeros" : "not read"});
      }
      end = std::max(end, part.offset + part.size);
    }
    parts.insert(parts.end(), gaps.begin(), gaps.end());
    std::ranges::stable_sort(parts, {}, &Part::offset);
  }

  std::span<const std::byte> bytes_;
  std::optional<std::uint64_t> detached_payload_size_;
  Anatomy& anatomy_;
};

}  // namespace

Anatomy dissect(std::span<const std::byte> bytes, std::optional<std::uint64_t> payload_size,
                Limits limits) {
  Anatomy anatomy{};
  anatomy.size = bytes.size();
  const auto judge = [&](const auto& result) {
    if (result) {
      anatomy.metadata = result->metadata();
    } else {
      anatomy.error = result.error();
    }
  };
  if (payload_size) {
    judge(open_trailer(bytes, *payload_size, limits));
  } else {
    judge(open(bytes, limits));
  }
  Dissector(bytes, payload_size, anatomy).run();
  if (anatomy.error) anatomy.hints = hints_for(*anatomy.error, bytes, payload_size, limits);
  return anatomy;
}

std::string advice(const Error& error) {
  switch (error.code) {
    case Code::absent:
      return "there is no metadata: fine if messages of this type carry no trailer, else refuse it";
    case Code::unsupported:
      return "the sender is newer or sends another kind of trailer: upgrade the receiver; on a "
             "path without checksums of its own, request a resend first";
    case Code::corrupt:
      return "damaged in transit: request a resend";
    case Code::too_large:
      return "raise the limit if this sender may send so much, else refuse it";
    case Code::invalid:
      return "the sender has a bug or is hostile: refuse it; a resend would bring the same bytes";
    case Code::no_space:
      break;
  }
  return "give the writer trailer_size(metadata) bytes";
}

}  // namespace gradtail::cli
