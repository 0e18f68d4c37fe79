#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The steps of CI, each declared with its name, when it runs (quick or nightly), the Debian packages
# that it needs besides those of all tests, and what it protects against. Sourced by .ci/run.
#
# To add one: a line `step NAME quick|nightly 'PACKAGES' 'what it protects against'` and a function
# step_NAME, which runs in the root of the checkout with `set -e`. If the last line that it prints
# is 'N passed, N failed', that is counted; otherwise the step counts as one test.
: "${root:?}"

# No transports: for steps that are about the library alone. Warnings are errors.
core_only=(--werror -Dgrpc=disabled -Dtensorpipe=disabled -Dtorch=disabled -Ducx=disabled -Dzeromq=disabled
  -Dasio=disabled -Dpytorch=disabled -Dcli=disabled)

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

# Files under version control, also where another user owns the checkout.
sources() {
  git -c safe.directory="$root" ls-files -z "$@"
}

# The core, its tests and the examples without a transport.
build_core() {
  configure "$1" "${core_only[@]}" -Dtests=enabled -Dexamples=enabled "${@:2}"
  build "$1"
}

# ---- What every change must pass -----------------------------------------------------------------

step clang-format quick 'clang-format git' 'reviews about layout'
step_clang-format() {
  sources '*.hpp' '*.cpp' | xargs -0 clang-format --dry-run -Werror
}

step shellcheck quick 'git shellcheck' 'scripts that break on an odd path or an unset variable'
step_shellcheck() {
  sources | xargs -0 grep --null -l '^#!.*sh$' | xargs -0 shellcheck -x
}

step reference quick 'doxygen' 'pages that refer to what is not there'
step_reference() {
  tools/docs
}

step test quick 'libasio-dev cppzmq-dev libgrpc++-dev libtensorpipe-dev libucx-dev python3-grpcio iproute2' \
  'a broken promise, package, adapter or example, as gcc builds them by default'
step_test() {
  CXX=g++ configure build/ci/test --werror -Dtests=enabled -Dexamples=enabled -Dgrpc=enabled \
    -Dtensorpipe=enabled -Ducx=enabled -Dzeromq=enabled -Dasio=enabled -Dtorch=disabled -Dpytorch=disabled
  build build/ci/test
  run_tests build/ci/test
}

step clang quick 'clang' 'what only clang rejects or warns of; asserts that do not hold'
step_clang() {
  CXX=clang++ build_core build/ci/clang -Dbuildtype=debugoptimized
  run_tests build/ci/clang --no-suite=builds
}

step clang-tidy quick 'clang clang-tidy' 'suspicious code, and names that are not in the style'
step_clang-tidy() {
  tidy build/ci/clang
}

# clang-tidy would silently pass over a .clang-tidy that it can't parse.
tidy() {
  if clang-tidy --dump-config 2>&1 | grep 'Error parsing'; then return 1; fi
  CXX=clang++ build_core "$1" -Dbuildtype=debugoptimized "${@:2}"
  run-clang-tidy -quiet -p "$1" "^(?!.*/$1/)"
}

# clang leaves the sanitizers' symbols that a shared library needs to the program: b_lundef.
step sanitizers quick 'clang libclang-rt-dev' 'reads and writes out of bounds, undefined behavior'
step_sanitizers() {
  CXX=clang++ build_core build/ci/sanitizers -Dbuildtype=debugoptimized -Db_lundef=false \
    -Db_sanitize=address,undefined -Dcpp_args=-fno-sanitize-recover=all
  UBSAN_OPTIONS=print_stacktrace=1 run_tests build/ci/sanitizers --no-suite=builds \
    --timeout-multiplier=4
}

# doctest calls much of the standard library, which is built without this sanitizer.
step memory-sanitizer quick 'clang libclang-rt-dev' 'uninitialized bytes on the wire'
step_memory-sanitizer() {
  CXX=clang++ run_only build/ci/memory-sanitizer round_trips "${core_only[@]}" \
    -Dbuildtype=debugoptimized -Db_sanitize=memory -Db_lundef=false
}

step thread-sanitizer quick 'clang libclang-rt-dev' 'data races'
step_thread-sanitizer() {
  CXX=clang++ run_only build/ci/thread-sanitizer threads "${core_only[@]}" \
    -Dbuildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false
}

step no-fast-path quick '' 'a test that only the fast path passes, or a full parser that it hides'
step_no-fast-path() {
  CXX=g++ run_only build/ci/no-fast-path 'unit golden exhaustive' "${core_only[@]}" \
    -Dfast_path=false -Dbuildtype=debugoptimized
}

# doctest needs exceptions.
step no-exceptions quick '' 'users who build without exceptions and RTTI'
step_no-exceptions() {
  CXX=g++ run_only build/ci/no-exceptions round_trips "${core_only[@]}" -Dbuildtype=release \
    -Dcpp_eh=none -Dcpp_rtti=false
}

# All sources of the library at once, with the examples.
step unity quick '' 'names that clash where a user compiles several sources as one'
step_unity() {
  configure build/ci/unity "${core_only[@]}" -Dtests=disabled -Dexamples=enabled -Dunity=on \
    -Dunity_size=1000
  build build/ci/unity
}

step i686 quick 'g++-i686-linux-gnu' 'arithmetic that needs a size_t of 64 bits'
step_i686() {
  run_on i686
}

# Another machine, as its cross compiler builds for it and its cross file says how to run that:
# run_on CPU [ABI].
run_on() {
  local machine=$1-linux-${2-gnu}
  run_only "build/ci/$machine" 'unit golden round_trips threads' "${core_only[@]}" \
    --cross-file="$root/tools/cross/$machine.ini" -Dbuildtype=debugoptimized
}

step cli quick 'clang clang-tidy libclang-rt-dev libcli11-dev nlohmann-json3-dev' \
  'a program gradtail that crashes on, or misjudges, a message'
step_cli() {
  CXX=clang++ configure build/ci/cli "${core_only[@]}" -Dcli=enabled -Dtests=enabled \
    -Dexamples=disabled -Dbuildtype=debugoptimized -Db_lundef=false -Db_sanitize=address,undefined \
    -Dcpp_args=-fno-sanitize-recover=all
  build build/ci/cli cli/gradtail tests/fuzz/replay_inspect
  run-clang-tidy -quiet -p build/ci/cli "$root/cli/"
  run_tests build/ci/cli cli fuzz_inspect --timeout-multiplier=4
}

step wireshark quick 'tshark python3-zmq python3-grpcio' 'a dissector that misjudges a message'
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
step python quick 'git python3-dev python3-venv' 'a Python package that does not build, or misjudges'
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

step pytorch quick '' 'a preload that changes what PyTorch does, or does not build for its wheel'
step_pytorch() {
  tools/test-pytorch --slice
}

step demo quick '' 'a demo that fails for a newcomer'
step_demo() {
  tools/demo
}

# ---- What a release must pass as well ------------------------------------------------------------

# Without optimization, with the asserts of the library and of the standard library.
step debug nightly '' 'code that is right only where it is optimized; misuse of the standard library'
step_debug() {
  CXX=g++ run_only build/ci/debug 'unit golden' "${core_only[@]}" -Dbuildtype=debug \
    -Dcpp_args=-D_GLIBCXX_ASSERTIONS
}

step coverage nightly 'gcovr' 'a line or branch of the library that no test reaches'
step_coverage() {
  tools/coverage
}

step test-all nightly '' 'what the step test leaves out: the adapter for libtorch'
step_test-all() {
  CXXFLAGS=-Werror tools/test --all
}

step clang-all nightly 'clang libbenchmark-dev' 'transports and benchmarks that clang rejects'
step_clang-all() {
  CXX=clang++ configure build/ci/clang-all --werror -Dtests=enabled -Dexamples=enabled \
    -Dbench=enabled -Dbuildtype=debugoptimized
  build build/ci/clang-all
  run_tests build/ci/clang-all --no-suite=builds
}

step clang-tidy-all nightly 'clang clang-tidy libbenchmark-dev' \
  'suspicious code in adapters, their examples and benchmarks'
step_clang-tidy-all() {
  step_clang-all
  if clang-tidy --dump-config 2>&1 | grep 'Error parsing'; then return 1; fi
  run-clang-tidy -quiet -p build/ci/clang-all '^(?!.*/build/ci/clang-all/)'
}

step sanitizers-all nightly 'clang libclang-rt-dev' 'undefined behavior on the transports'
step_sanitizers-all() {
  CXX=clang++ configure build/ci/sanitizers-all -Dtests=enabled -Dexamples=enabled \
    -Dbuildtype=debugoptimized -Db_lundef=false -Db_sanitize=address,undefined \
    -Dcpp_args=-fno-sanitize-recover=all
  build build/ci/sanitizers-all
  UBSAN_OPTIONS=print_stacktrace=1 run_tests build/ci/sanitizers-all --no-suite=builds \
    --timeout-multiplier=4
}

# clang can't compile the headers of libtorch 1.13 as C++20.
step torch-sanitizers nightly 'libtorch-dev' 'undefined behavior of the adapter for libtorch'
step_torch-sanitizers() {
  CXX=g++ run_only build/ci/torch-sanitizers 'torch_unit torch_exchange' \
    -Dbuildtype=debugoptimized -Db_sanitize=address,undefined -Dtorch=enabled \
    -Dcpp_args=-fno-sanitize-recover=all
}

step gcc-benchmarks nightly 'libbenchmark-dev' 'benchmarks that no longer build'
step_gcc-benchmarks() {
  CXX=g++ configure build/ci/gcc "${core_only[@]}" -Dtests=enabled -Dexamples=disabled \
    -Dbench=enabled -Dbuildtype=debugoptimized
  build build/ci/gcc
  run_tests build/ci/gcc unit golden
}

step valgrind nightly '' 'decisions on uninitialized bytes'
step_valgrind() {
  CXX=g++ configure build/ci/valgrind "${core_only[@]}" -Dtests=enabled -Dexamples=disabled \
    -Dbuildtype=debugoptimized
  meson compile -C build/ci/valgrind unit
  run_tests build/ci/valgrind unit --wrap='valgrind --quiet --error-exitcode=1' \
    --timeout-multiplier=30
}

# As much optimization as there is, across files, of a static library without asserts.
step newest-language nightly '' 'what C++23 takes away or defines otherwise'
step_newest-language() {
  CXX=g++ run_only build/ci/newest-language 'unit golden' "${core_only[@]}" -Dbuildtype=debugoptimized \
    -Dcpp_std=c++23
}

step oldest-gcc nightly 'g++-11' 'the oldest gcc that compiles it'
step_oldest-gcc() {
  CXX=g++-11 run_only build/ci/oldest-gcc 'unit golden' "${core_only[@]}" -Dbuildtype=debugoptimized
}

step libcxx nightly 'clang libc++-dev libc++abi-dev' "clang's own standard library"
step_libcxx() {
  CXX='clang++ -stdlib=libc++' run_only build/ci/libcxx round_trips "${core_only[@]}" \
    -Dbuildtype=debugoptimized
}

step lto nightly '' 'code that link-time optimization breaks'
step_lto() {
  CXX=g++ run_only build/ci/lto 'unit golden' "${core_only[@]}" -Dbuildtype=release \
    -Doptimization=3 -Db_lto=true -Ddefault_library=static
}

step packages nightly 'debhelper lintian python3-venv' 'ways to take the library that no longer work'
step_packages() {
  tools/test-packages
}

step aarch64 nightly 'g++-aarch64-linux-gnu qemu-user-static' 'an unsigned char; weak memory order'
step_aarch64() {
  run_on aarch64
}

step s390x nightly 'g++-s390x-linux-gnu qemu-user-static' 'numbers stored in the order of the host'
step_s390x() {
  run_on s390x
}

step riscv64 nightly 'g++-riscv64-linux-gnu qemu-user-static' 'RISC-V'
step_riscv64() {
  run_on riscv64
}

step ppc64 nightly 'g++-powerpc64-linux-gnu qemu-user-static' 'big-endian with vector instructions'
step_ppc64() {
  run_on powerpc64
}

step armhf nightly 'g++-arm-linux-gnueabihf qemu-user-static' 'ARM with 32 bits'
step_armhf() {
  run_on arm gnueabihf
}

step armel nightly 'g++-arm-linux-gnueabi qemu-user-static' 'machines without 64-bit atomics'
step_armel() {
  run_on arm gnueabi
}

# Only the tests without POSIX memory maps.
step mingw nightly 'g++-mingw-w64-x86-64-posix wine64' 'Windows: a long of 32 bits, no ELF'
step_mingw() {
  run_only build/ci/mingw 'golden round_trips threads' "${core_only[@]}" -Dbuildtype=debugoptimized \
    --cross-file="$root/tools/cross/x86_64-w64-mingw32.ini" -Ddefault_library=static
}

step debian13 nightly '' 'newer compilers, FlatBuffers and Meson; package lists with gaps'
step_debian13() {
  tools/test-debian13
}

step pytorch-suites nightly '' "a preload that any of PyTorch's own RPC tests notices"
step_pytorch-suites() {
  tools/test-pytorch
}

step fuzz nightly 'clang libclang-rt-dev' 'messages that nobody thought of'
step_fuzz() {
  tools/fuzz 300
}

step exhaustive nightly '' 'a rare message that open takes for another'
step_exhaustive() {
  tools/exhaustive
}

step mutate nightly '' 'checks that no test notices when they are broken'
step_mutate() {
  tools/mutate
}
