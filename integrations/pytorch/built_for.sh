#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes a header that says for which PyTorch LIBRARY was linked.
# Usage: built_for.sh LIBRARY TORCH_VERSION HEADER
set -eu

soname=$(readelf --dynamic --wide "$1" | sed -n 's/.*NEEDED.*\[\(libtorch_cpu\.so[^]]*\)\]/\1/p')
[ -n "$soname" ] || { echo "built_for.sh: $1 is not linked to libtorch_cpu" >&2; exit 1; }
cat >"$3" <<END
#pragma once
#define TORCH_SONAME "$soname"
#define TORCH_VERSION_BUILT "$2"
#define IMPLEMENTATION "$(basename "$1")"
END
