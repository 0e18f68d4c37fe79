#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the scripts share: Debian packages, build folders, counting tests. To be sourced.

root=$(readlink -f "$(dirname "${BASH_SOURCE[0]}")/../..")
build_packages=(g++ meson ninja-build pkg-config flatbuffers-compiler libflatbuffers-dev)
test_packages=(cmake doctest-dev make python3 valgrind)
example_packages=(libasio-dev libcli11-dev libeigen3-dev)
# The package that each transport's test suite needs.
# shellcheck disable=SC2034
declare -A transports=([grpc]=libgrpc++-dev [tensorpipe]=libtensorpipe-dev [torch]=libtorch-dev
  [ucx]=libucx-dev [zeromq]=cppzmq-dev [asio]=libasio-dev)
export build_packages test_packages example_packages

say() {
  printf '==> %s\n' "$*" >&2
}

# Ends a script that can't be run with its arguments.
usage_error() {
  printf 'tools/%s: %s; see --help\n' "${0##*/}" "$1" >&2
  exit 2
}

# For a script with a function `help`.
offer_help() {
  [[ ${1-} != --help ]] || { help && exit; }
}

# For one that has no other argument.
no_arguments() {
  offer_help "$@"
  [[ $# -eq 0 ]] || usage_error "takes no argument except --help, but got '$*'"
}

# Runs a command with its output in a log, and shows the log if the command fails.
quietly() {
  local log=$1 status=0
  shift
  "$@" >"$log" 2>&1 </dev/null || status=$?
  [[ $status -eq 0 ]] || cat "$log" >&2
  return "$status"
}

missing_packages() {
  local package
  for package in "$@"; do
    case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
      installed*) ;;
      *) echo "$package" ;;
    esac
  done
}

# Runs a command as root.
as_root() {
  if [[ $(id -u) -eq 0 ]]; then "$@"; else sudo "$@"; fi
}

# The first try fails if the lists of packages are missing or out of date.
apt_install() {
  local install=(env DEBIAN_FRONTEND=noninteractive
    apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=120 "$@")
  if [[ $(id -u) -ne 0 && -z $(command -v sudo) ]]; then
    echo 'packages can only be installed as root or with sudo'
    return 1
  fi
  as_root "${install[@]}" || { as_root apt-get update && as_root "${install[@]}"; }
}

# Installs missing Debian packages, or says how to install them and stops.
ensure_packages() {
  local missing log status=0
  if [[ -z $(command -v dpkg-query) ]]; then
    say "this is not Debian: install what these packages contain, if it is missing: $*"
    return
  fi
  mapfile -t missing < <(missing_packages "$@")
  [[ ${#missing[@]} -gt 0 ]] || return 0
  say "installing with apt-get: ${missing[*]}"
  log=$(mktemp)
  quietly "$log" apt_install "${missing[@]}" || status=$?
  rm -f "$log"
  [[ $status -ne 0 ]] || return 0
  say 'the packages could not be installed. Run this as root, then try again:'
  printf '  apt-get update && apt-get install --yes --no-install-recommends %s\n' "${missing[*]}" >&2
  exit 1
}

# Everything that makes an existing build folder unusable if it changes.
fingerprint() {
  meson --version
  ${CXX:-c++} --version 2>&1 | sed -n 1p || true
  flatc --version 2>&1 || true
  printf '%s\n' "$root" "CXX=${CXX-}" "CXXFLAGS=${CXXFLAGS-}" "LDFLAGS=${LDFLAGS-}" "$@"
}

# Stops where the build folder can't be made, or the disk is too full for it: half-written files
# would make the tools fail in odd ways.
check_folder() {
  local needed_kb=500000 free_kb
  if ! mkdir -p "$1" 2>/dev/null || [[ ! -w $1 ]]; then
    say "can't write to $1: make it writable, or copy the checkout to where you can write"
    exit 1
  fi
  free_kb=$(df --output=avail "$1" | tail -n 1)
  [[ $free_kb -lt $needed_kb ]] || return 0
  say "the disk of $1 has $((free_kb / 1000)) MB free, and a build needs $((needed_kb / 1000)) MB"
  exit 1
}

# Configures the build folder $root/$1 with the given options, from scratch if anything differs.
configure() {
  local folder=$root/$1 made
  shift
  check_folder "$folder"
  made=$(fingerprint "$@")
  [[ ! -f $folder/build.ninja || ! -f $folder/made-with || $(<"$folder/made-with") != "$made" ]] ||
    return 0
  say "configuring ${folder#"$root"/}"
  rm -rf "$folder"
  mkdir -p "$folder"
  # In a folder that can be written, wherever the caller is: tools that Meson asks write there.
  (cd "$folder" && quietly "$folder/setup.log" meson setup "$@" "$folder" "$root") || return
  printf '%s\n' "$made" >"$folder/made-with"
}

# Builds a configured folder: everything, or only the given targets.
build() {
  local folder=$1
  shift
  say "building $folder"
  ninja -C "$root/$folder" "$@" >&2
}

# Prints how many tests of a Meson log passed, failed and were skipped. Each line is one test.
count_tests() {
  awk '/"result": "(OK|EXPECTEDFAIL)"/ { ++passed; next }
       /"result": "SKIP"/ { ++skipped; next }
       { ++failed }
       END {
         printf "%d passed, %d failed", passed, failed
         print skipped ? ", " skipped " skipped" : ""
       }' "$1"
}

# Runs the tests of a built folder and prints their number in the last line. More arguments go to
# `meson test`. If no test ran, that counts as one failure.
run_tests() {
  local folder=$root/$1 status=0 logs
  shift
  say "testing ${folder#"$root"/}"
  rm -f "$folder"/meson-logs/testlog*.json
  meson test -C "$folder" --no-rebuild --print-errorlogs "$@" || status=$?
  logs=("$folder"/meson-logs/testlog*.json)
  if [[ -s ${logs[0]} ]]; then
    count_tests "${logs[0]}"
  else
    echo '0 passed, 1 failed'
    status=1
  fi
  return "$status"
}

# Runs a command with its output in a log, whose last line counts tests: if the command doesn't print
# that line itself, it is a test.
run_counted() {
  local log=$1 status=0
  "${@:2}" >"$log" 2>&1 </dev/null || status=$?
  case $status,$(tail -n 1 "$log") in
    0,[0-9]*' passed, '* | *' passed, '[1-9]*) ;;
    0,*) printf '\n1 passed, 0 failed\n' >>"$log" ;;
    *) printf '\n0 passed, 1 failed\n' >>"$log" ;;
  esac
  return "$status"
}

# Adds up the last lines of the logs. A log without a count is counted as one failure.
add_up() {
  local log
  for log in "$@"; do printf '%s\n' "$(tail -n 1 "$log")"; done |
    awk '/^[0-9]+ passed, [0-9]+ failed/ { passed += $1; failed += $3; skipped += $5; next }
    { ++failed }
    END {
      printf "%d passed, %d failed%s\n", passed, failed, skipped ? ", " skipped " skipped" : ""
      exit failed > 0
    }'
}
