#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The steps of CI that every change must pass, each declared with its name, the Debian packages that it
# needs besides those of all tests, and what it protects against. Sourced by .ci/run, and nightly.sh
# after it, which uses the functions here.
#
# To add one: a line `step NAME 'PACKAGES' 'what it protects against' COMMAND...`, or without a command
# and with a function step_NAME. Either runs in the root of the checkout with `set -e`, and with the
# step's name in `name`. If the last line that it prints is 'N passed, N failed', that is counted;
# otherwise the step counts as one test.
: "${root:?}"

# No transports: for steps that are about the library alone. Warnings are errors.
core_only=(--werror -Dgrpc=disabled -Dtensorpipe=disabled -Dtorch=disabled -Ducx=disabled -Dzeromq=disabled
  -Dasio=disabled -Dpytorch=disabled -Dcli=disabled)

# The sanitizers of memory and of undefined behavior, as every error's end. clang leaves their symbols,
# which a shared library needs, to the program: b_lundef.
sanitized=(-Dbuildtype=debugoptimized -Db_lundef=false '-Db_sanitize=address,undefined'
  -Dcpp_args=-fno-sanitize-recover=all)

# Builds and runs only the named tests, whose programs have the same names:
# run_only FOLDER 'TEST...' OPTION...
run_only() {
  local folder=$1 tests
  read -ra tests <<<"$2"
  configure "$folder" -Dtests=enabled -Dexamples=disabled "${@:3}"
  # Meson looks targets up by name, but in what it wrote down when it last ran.
  build "$folder" build.ninja
  meson compile -C "$folder" "${tests[@]}"
  run_tests "$folder" "${tests[@]}" --timeout-multiplier=30
}

# The same of the library alone, in the step's own folder: run_core COMPILER 'TEST...' OPTION...
run_core() {
  CXX=$1 run_only "build/ci/${name:?}" "$2" "${core_only[@]}" -Dbuildtype=debugoptimized "${@:3}"
}

# Another machine, as its cross compiler builds for it and its cross file says how to run that:
# run_on CPU [ABI].
run_on() {
  local machine=$1-linux-${2-gnu}
  run_only "build/ci/$machine" 'unit golden round_trips threads' "${core_only[@]}" \
    --cross-file="$root"/tools/cross/{debian,"$machine"}.ini -Dbuildtype=debugoptimized
}

# Files under version control, also where another user owns the checkout.
sources() {
  git -c safe.directory="$root" ls-files -z "$@"
}

step clang-format 'clang-format git' 'discussions about layout'
step_clang-format() {
  sources '*.hpp' '*.cpp' | xargs -0 clang-format --dry-run -Werror
}

step shellcheck 'git shellcheck' 'scripts that break on an odd path or an unset variable'
step_shellcheck() {
  sources | xargs -0 grep --null -l '^#!.*sh$' | xargs -0 shellcheck -x
}

step reference 'doxygen' 'pages that refer to something that does not exist' tools/docs

step test 'libasio-dev cppzmq-dev libgrpc++-dev libtensorpipe-dev libucx-dev python3-grpcio iproute2' \
  'a broken promise, package, adapter or example, in the default build with gcc'
step_test() {
  CXX=g++ configure build/ci/test --werror -Dtests=enabled -Dexamples=enabled -Dgrpc=enabled \
    -Dtensorpipe=enabled -Ducx=enabled -Dzeromq=enabled -Dasio=enabled -Dtorch=disabled -Dpytorch=disabled
  build build/ci/test
  run_tests build/ci/test
}

step sanitizers 'clang libclang-rt-dev' \
  'reads and writes out of bounds, undefined behavior; code that clang warns about'
step_sanitizers() {
  build_sanitizers
  UBSAN_OPTIONS=print_stacktrace=1 run_tests build/ci/sanitizers --no-suite=builds \
    --timeout-multiplier=4
}

build_sanitizers() {
  CXX=clang++ configure build/ci/sanitizers "${core_only[@]}" "${sanitized[@]}" -Dtests=enabled \
    -Dexamples=enabled
  build build/ci/sanitizers
}

step clang-tidy 'clang clang-tidy libclang-rt-dev' \
  'suspicious code, and names that are not in the style'
step_clang-tidy() {
  build_sanitizers
  tidy build/ci/sanitizers
}

# Checks the sources that were compiled in a folder. clang-tidy would silently pass over a
# .clang-tidy that it can't parse.
tidy() {
  if clang-tidy --dump-config 2>&1 | grep 'Error parsing'; then return 1; fi
  run-clang-tidy -quiet -p "$1" "${2-^(?!.*/$1/)}"
}

# doctest calls much of the standard library, which is built without this sanitizer.
step memory-sanitizer 'clang libclang-rt-dev' 'uninitialized bytes on the wire' \
  run_core clang++ round_trips -Db_sanitize=memory -Db_lundef=false

step thread-sanitizer 'clang libclang-rt-dev' 'data races' \
  run_core clang++ threads -Db_sanitize=thread -Db_lundef=false

step no-fast-path '' 'a test that only the fast path passes, or a full parser that it hides' \
  run_core g++ 'unit golden exhaustive' -Dfast_path=false

# doctest needs exceptions.
step no-exceptions '' 'code that needs exceptions or RTTI' \
  run_core g++ round_trips -Dbuildtype=release -Dcpp_eh=none -Dcpp_rtti=false

# All sources of the library at once, of the program and of each example; and two by two, as their order
# matters.
step unity 'libcli11-dev nlohmann-json3-dev' 'names that clash if a user compiles several sources as one'
step_unity() {
  local size
  for size in 2 1000; do
    configure "build/ci/unity-$size" "${core_only[@]}" -Dtests=disabled -Dexamples=enabled \
      -Dcli=enabled -Dunity=on "-Dunity_size=$size"
    build "build/ci/unity-$size"
  done
}

step i686 'g++-i686-linux-gnu' 'arithmetic that needs a 64-bit size_t' run_on i686

step cli 'clang clang-tidy libclang-rt-dev libcli11-dev nlohmann-json3-dev' \
  'a program gradtail that crashes on a message or misjudges it'
step_cli() {
  CXX=clang++ configure build/ci/cli "${core_only[@]}" "${sanitized[@]}" -Dcli=enabled \
    -Dtests=enabled -Dexamples=disabled
  build build/ci/cli cli/gradtail tests/fuzz/replay_inspect
  tidy build/ci/cli "$root/cli/"
  run_tests build/ci/cli cli fuzz_inspect --timeout-multiplier=4
}

step wireshark 'tshark' 'a dissector that misjudges a message'
step_wireshark() {
  python_tests /usr/bin/python3 integrations/wireshark/tests/dissector_test.py
}

# Runs a script of unittest and ends with a line that counts its tests.
python_tests() {
  local log=build/ci/unittest.log ran skipped
  "$@" 2>&1 | tee "$log"
  ran=$(sed -n 's/^Ran \([0-9]*\) tests* in .*/\1/p' "$log")
  skipped=$(sed -n 's/^OK (skipped=\([0-9]*\))$/\1/p' "$log")
  echo "$((ran - ${skipped:-0})) passed, 0 failed, ${skipped:-0} skipped"
}

# The sdist and the wheel are made from what is committed, each in an environment of its own.
step python 'git python3-dev python3-venv' 'a Python package that does not build or misjudges messages'
step_python() {
  local python=build/ci/python/bin/python dist=build/ci/dist
  rm -rf build/ci/python "$dist"
  python3 -m venv build/ci/python
  "$python" -m pip install --quiet build
  "$python" -m build --outdir "$dist"
  "$python" -m pip install --quiet "$(echo "$dist"/*.whl)[test]"
  "$python" -m pytest -q | tee build/ci/pytest.log
  sed -n '$s/^\([0-9]* passed\)\(, \([0-9]*\) skipped\)\?.*/\1, 0 failed, 0\3 skipped/p' build/ci/pytest.log
}

step pytorch '' 'a preload that changes what PyTorch does, or does not build for the wheel' \
  tools/test-pytorch --slice

step demo '' 'a demo that fails for a newcomer' tools/demo
