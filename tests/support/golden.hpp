// SPDX-License-Identifier: Apache-2.0
// The golden messages and what their table says of them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "gradtail/metadata.hpp"
#include "reference.hpp"

struct Golden {
  std::string name;
  bool canonical = false;  ///< our writer makes these very bytes
  std::size_t payload_size = 0;
  std::size_t trailer_size = 0;
  std::string fields;  ///< "context_id=5 device_map=0:-1>1:0"
  reference::Bytes message;
};

/// All rows of golden.tsv with their messages. Throws std::runtime_error naming what is missing.
const std::vector<Golden>& load_golden();

/// Metadata from the notation of golden.tsv; the device map lies in `map`.
gradtail::AutogradMetadata parse_fields(const std::string& fields,
                                        std::vector<gradtail::DevicePair>& map);
