// SPDX-License-Identifier: Apache-2.0
// All of gradtail but the adapters and format.hpp, which is for std::format.
#pragma once

#include "gradtail/append.hpp"
#include "gradtail/bytes.hpp"
#include "gradtail/error.hpp"
#include "gradtail/first.hpp"
#include "gradtail/found.hpp"
#include "gradtail/id.hpp"
#include "gradtail/metadata.hpp"
#include "gradtail/open.hpp"
#include "gradtail/owned_metadata.hpp"
#include "gradtail/require.hpp"
#include "gradtail/result.hpp"
#include "gradtail/scratch.hpp"
#include "gradtail/segments.hpp"
#include "gradtail/strip.hpp"
#include "gradtail/trailer.hpp"
#include "gradtail/wire.hpp"
#include "gradtail/write.hpp"
