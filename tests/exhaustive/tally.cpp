// SPDX-License-Identifier: Apache-2.0
// Names of answers, and the table of how often each was given.
#include "tally.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

namespace {

constexpr const char* check_names[Tally::checks] = {
    "",      "magic",    "version",    "required_flags", "trailer_size",
    "limit", "checksum", "identifier", "layout",         "values"};
constexpr const char* field_names[Tally::fields] = {
    "",
    "context_id",
    "message_id",
    "from_worker_id",
    "device_map_size",
    "device_map_type",
    "device_map_index",
    "device_map_source",
    "device_map_target",
    "retain_graph",
    "rref_created_on",
    "rref_local_id",
};
constexpr const char* rule_names[] = {"",
                                      "root 0",
                                      "root misaligned",
                                      "root outside",
                                      "vtable odd",
                                      "vtable out",
                                      "vtable size",
                                      "vtable too long",
                                      "map offset 0",
                                      "map offset >= 2^31",
                                      "map misaligned",
                                      "map outside",
                                      "map too long"};
constexpr const char* slot_names[] = {"context_id",           "message_id",   "from_worker_id",
                                      "wrapped_message_type", "device_map",   "retain_graph",
                                      "rref_created_on",      "rref_local_id"};

std::string name_of(std::size_t rule) {
  if (rule >= plain::slot_outside) {
    return std::string(slot_names[rule - plain::slot_outside]) + " outside";
  }
  if (rule >= plain::slot_misaligned) {
    return std::string(slot_names[rule - plain::slot_misaligned]) + " misaligned";
  }
  return rule_names[rule];
}

/// A field of one byte is aligned everywhere.
bool impossible(std::size_t rule) { return rule == plain::slot_misaligned + 5; }

void print_row(const char* kind, const std::string& name, std::uint64_t count) {
  if (count != 0) std::printf("  %-8s %-30s %14" PRIu64 "\n", kind, name.c_str(), count);
}

template <class Array>
void add_each(Array& to, const Array& from) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += from[i];
}

}  // namespace

void Tally::violation(const std::string& text) {
  ++violation_count;
  if (violations.size() < kept_violations) violations.push_back(text);
}

void Tally::violation(const char* what, plain::Bytes message) {
  if (violations.size() >= kept_violations) {
    ++violation_count;
    return;
  }
  std::string text = std::string(what) + ":";
  for (const std::byte byte : message.last(std::min<std::size_t>(message.size(), 700))) {
    char hex[4];
    std::snprintf(hex, sizeof hex, " %02x", std::to_integer<unsigned>(byte));
    text += hex;
  }
  violation(text);
}

void Tally::add(const Tally& other) {
  tried += other.tried;
  accepted += other.accepted;
  add_each(refused, other.refused);
  add_each(bad_fields, other.bad_fields);
  add_each(broken_rules, other.broken_rules);
  for (const std::string& text : other.violations) {
    if (violations.size() < kept_violations) violations.push_back(text);
  }
  violation_count += other.violation_count;
}

void print(const char* part, const Tally& tally, double seconds) {
  std::printf("%-16s %14" PRIu64 " tried, %" PRIu64 " violations, %.0f s\n", part, tally.tried,
              tally.violation_count, seconds);
  print_row("accepted", "", tally.accepted);
  for (std::size_t check = 1; check < Tally::checks; ++check) {
    print_row("refused", check_names[check], tally.refused[check]);
  }
  for (std::size_t rule = 1; rule < plain::rule_count; ++rule) {
    print_row("layout", name_of(rule), tally.broken_rules[rule]);
  }
  for (std::size_t field = 1; field < Tally::fields; ++field) {
    print_row("values", field_names[field], tally.bad_fields[field]);
  }
  for (const std::string& text : tally.violations) std::printf("  VIOLATION %s\n", text.c_str());
}

std::vector<std::string> never_given(const Tally& tally) {
  std::vector<std::string> names;
  if (tally.accepted == 0) names.emplace_back("accepted");
  for (std::size_t rule = 1; rule < plain::rule_count; ++rule) {
    if (tally.broken_rules[rule] == 0 && !impossible(rule)) {
      names.push_back("layout: " + name_of(rule));
    }
  }
  for (std::size_t field = 1; field < Tally::fields; ++field) {
    if (tally.bad_fields[field] == 0) names.push_back(std::string("values: ") + field_names[field]);
  }
  return names;
}
