#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The steps of CI that a release must pass, besides those of quick.sh, which says how to add one.
: "${root:?}" "${core_only:?}" "${sanitized:?}"

# Without optimization, with the asserts of the library and of the standard library.
step debug '' 'code that is right only where it is optimized; misuse of the standard library' \
  run_core g++ 'unit golden' -Dbuildtype=debug -Dcpp_args=-D_GLIBCXX_ASSERTIONS

step coverage 'gcovr' 'a line or branch of the library that no test reaches' tools/coverage

step test-all '' 'what the step test leaves out: the adapter for libtorch'
step_test-all() {
  CXXFLAGS=-Werror tools/test --all
}

step clang-all 'clang libbenchmark-dev' 'transports and benchmarks that clang rejects'
step_clang-all() {
  CXX=clang++ configure build/ci/clang-all --werror -Dtests=enabled -Dexamples=enabled \
    -Dbench=enabled -Dbuildtype=debugoptimized
  build build/ci/clang-all
  run_tests build/ci/clang-all --no-suite=builds
}

step clang-tidy-all 'clang clang-tidy libbenchmark-dev' \
  'suspicious code in adapters, their examples and benchmarks'
step_clang-tidy-all() {
  step_clang-all
  tidy build/ci/clang-all
}

step sanitizers-all 'clang libclang-rt-dev' 'undefined behavior on the transports'
step_sanitizers-all() {
  CXX=clang++ configure build/ci/sanitizers-all "${sanitized[@]}" -Dtests=enabled -Dexamples=enabled
  build build/ci/sanitizers-all
  UBSAN_OPTIONS=print_stacktrace=1 run_tests build/ci/sanitizers-all --no-suite=builds \
    --timeout-multiplier=4
}

# clang can't compile the headers of libtorch 1.13 as C++20.
step torch-sanitizers 'libtorch-dev' 'undefined behavior of the adapter for libtorch'
step_torch-sanitizers() {
  CXX=g++ run_only build/ci/torch-sanitizers 'torch_unit torch_exchange' "${sanitized[@]}" -Dtorch=enabled
}

step gcc-benchmarks 'libbenchmark-dev' 'benchmarks that no longer build'
step_gcc-benchmarks() {
  CXX=g++ configure build/ci/gcc "${core_only[@]}" -Dtests=enabled -Dexamples=disabled \
    -Dbench=enabled -Dbuildtype=debugoptimized
  build build/ci/gcc
  run_tests build/ci/gcc unit golden
}

step valgrind '' 'decisions on uninitialized bytes'
step_valgrind() {
  CXX=g++ configure build/ci/valgrind "${core_only[@]}" -Dtests=enabled -Dexamples=disabled \
    -Dbuildtype=debugoptimized
  meson compile -C build/ci/valgrind unit
  run_tests build/ci/valgrind unit --wrap='valgrind --quiet --error-exitcode=1' \
    --timeout-multiplier=30
}

step newest-language '' 'what C++23 takes away or defines otherwise' \
  run_core g++ 'unit golden' -Dcpp_std=c++23

# The compilers of each Debian. clang with the libc++ of its version, too.
declare -A compilers=([12]='g++-11 g++-12 clang++-14 clang++-15 clang++-16 clang++-19'
  [13]='g++-13 g++-14 clang++-17 clang++-18 clang++-19')

step compilers '' 'what only some compilers reject or warn of; the oldest and the newest C++'
step_compilers() {
  local names compiler language library logs=()
  read -ra names <<<"${compilers[$(. /etc/os-release && echo "$VERSION_ID")]}"
  ensure_packages "${names[@]/clang++/clang}"
  set +e # so that a compiler that fails doesn't keep the next from its turn
  for library in libstdc++ libc++; do
    for compiler in "${names[@]}"; do
      [[ $compiler/$library != g++*/libc++ ]] || continue
      for language in c++20 "$(newest_language "$compiler")"; do
        logs+=("build/ci/$compiler-$language-$library.log")
        (set -e && compile_with "$compiler" "$language" "$library") | tee "${logs[-1]}"
      done
    done
  done
  add_up "${logs[@]}"
}

newest_language() {
  local language
  for language in c++26 c++23 c++2b; do
    ! "$1" "-std=$language" -fsyntax-only -x c++ /dev/null 2>/dev/null || break
  done
  echo "$language"
}

# Changes the environment. libc++ has all that the unit tests use since version 16.
compile_with() {
  local tests='round_trips headers' version=${1#*-} folder
  [[ $2 != c++20 || ($3 == libc++ && $version -lt 16) ]] || tests+=' unit golden'
  export CXX=$1
  if [[ $3 == libc++ ]]; then
    folder=$root/build/ci/libc++-$version
    unpack_libcxx "$version" "$folder"
    folder+=/usr/lib/llvm-$version
    CXX+=" '-stdlib++-isystem$folder/include/c++/v1'"
    export LDFLAGS="-stdlib=libc++ '-L$folder/lib'" LD_LIBRARY_PATH=$folder/lib
  fi
  run_only "build/ci/$1-$2-$3" "$tests" "${core_only[@]}" -Dcpp_std=none "-Dcpp_args=-std=$2"
}

# Only one version of Debian's can be installed.
unpack_libcxx() {
  local package packages=(lib{c++,c++abi,unwind}-"$1"-dev)
  [[ ! -d $2 ]] || return 0
  rm -rf "$2.new"
  mkdir "$2.new"
  mapfile -t -O 3 packages < <(apt-cache depends "${packages[@]}" |
    sed -n 's/^  Depends: \(lib[cu][^ ]*1-.*\|libunwind-[^-]*\)$/\1/p')
  (cd "$2.new" && quietly log apt-get download "${packages[@]}")
  for package in "$2.new"/*.deb; do dpkg -x "$package" "$2.new"; done
  mv "$2.new" "$2"
}

# As much optimization as there is, across files, of a static library without asserts.
step lto '' 'code that link-time optimization breaks' \
  run_core g++ 'unit golden' -Dbuildtype=release -Doptimization=3 -Db_lto=true -Ddefault_library=static

step packages 'debhelper lintian python3-venv' 'ways to take the library that no longer work' \
  tools/test-packages

step aarch64 'g++-aarch64-linux-gnu qemu-user-static' 'an unsigned char; weak memory order' run_on aarch64
step s390x 'g++-s390x-linux-gnu qemu-user-static' 'numbers stored in the order of the host' run_on s390x
step riscv64 'g++-riscv64-linux-gnu qemu-user-static' 'RISC-V' run_on riscv64
step ppc64 'g++-powerpc64-linux-gnu qemu-user-static' 'big-endian with vector instructions' run_on powerpc64
step armhf 'g++-arm-linux-gnueabihf qemu-user-static' 'ARM with 32 bits' run_on arm gnueabihf
step armel 'g++-arm-linux-gnueabi qemu-user-static' 'machines without 64-bit atomics' run_on arm gnueabi

# Only the tests without POSIX memory maps.
step mingw 'g++-mingw-w64-x86-64-posix wine64' 'Windows: a long of 32 bits, no ELF'
step_mingw() {
  run_only build/ci/mingw 'golden round_trips threads' "${core_only[@]}" -Dbuildtype=debugoptimized \
    --cross-file="$root/tools/cross/x86_64-w64-mingw32.ini" -Ddefault_library=static
}

# Zig from PyPI brings clang, libc++ and musl. Links give it the headers of the two libraries
# without glibc's beside them. This clang warns of doctest's __COUNTER__.
step musl 'python3-venv' 'another C library; programs that are wholly static; the newest clang'
step_musl() {
  local zig=$root/build/ci/zig
  python3 -m venv "$zig"
  [[ -x $zig/ziglang/zig ]] || "$zig/bin/pip" install --quiet --target "$zig" ziglang
  mkdir -p "$zig/usr/include"
  ln -sfn /usr/include/{doctest,flatbuffers} "$zig/usr/include/"
  PATH=$zig/ziglang:$PATH PKG_CONFIG_SYSROOT_DIR=$zig run_only build/ci/musl \
    'unit golden round_trips headers threads' "${core_only[@]}" -Dbuildtype=debugoptimized \
    --cross-file="$root/tools/cross/x86_64-linux-musl.ini" -Ddefault_library=static \
    "-Dcpp_args=['-isystem', '$zig/usr/include', '-Wno-c2y-extensions']" -Dcpp_link_args=-static
}

step compilers-debian13 '' 'the same of the compilers of Debian 13'
step_compilers-debian13() {
  # shellcheck source-path=SCRIPTDIR source=../tools/lib/debian13.sh
  source tools/lib/debian13.sh
  make_debian "$root/build/debian13"
  copy_checkout gradtail-compilers
  in_debian bash -c 'cd /gradtail-compilers && .ci/run compilers'
}

step debian13 '' 'newer compilers, FlatBuffers and Meson; package lists with gaps' tools/test-debian13

step pytorch-suites '' "a preload that any of PyTorch's own RPC tests notices" tools/test-pytorch

step fuzz 'clang libclang-rt-dev' 'messages that nobody thought of' tools/fuzz 300

step exhaustive '' 'a rare message that open takes for another' tools/exhaustive

step mutate '' 'checks that no test notices when they are broken' tools/mutate
