#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks Meson for builds that can't work, each of which it must refuse with a clear message."""

import pathlib
import subprocess
import sys
import tempfile

SOURCE = ""


def refuses(scratch, message, *options, **binaries):
    """Configures with these programs in place of the real ones; that must fail and say why."""
    programs = "".join(f"{name} = '{path}'\n" for name, path in binaries.items())
    (scratch / "native.ini").write_text("[binaries]\n" + programs)
    command = ["meson", "setup", scratch / "build", SOURCE, "--native-file", scratch / "native.ini",
               "-Dtests=disabled", "-Dexamples=disabled", *options]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, cwd=scratch)
    assert done.returncode == 1 and message in done.stdout, (
        f"exit status {done.returncode}, and not '{message}' in:\n{done.stdout}")


def script(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def flatc_of_another_version_than_the_headers(scratch):
    flatc = script(scratch / "flatc", "echo flatc version 9.8.7\n")
    refuses(scratch, "flatc is 9.8.7, but the FlatBuffers headers are ", flatc=flatc)


def flatbuffers_before_2_0_8(scratch):
    package = "Name: flatbuffers\nDescription: too old\nVersion: 2.0.7\n"
    (scratch / "flatbuffers.pc").write_text(package)
    flatc = script(scratch / "flatc", "echo flatc version 2.0.7\n")
    refuses(scratch, "needs FlatBuffers 2.0.8 or newer, headers and flatc (Debian: apt-get install",
            f"-Dpkg_config_path={scratch}", flatc=flatc, cmake=scratch / "nothing")


def an_older_cpp(scratch):
    refuses(scratch, "needs C++20 with concepts, ranges and consteval", "-Dcpp_std=c++17")


def a_compiler_without_all_of_cpp20(scratch):
    older = script(scratch / "c++", 'exec ${CXX:-c++} "$@" -Dconsteval=\n')
    refuses(scratch, "needs C++20 with concepts, ranges and consteval", cpp=older)


TESTS = (
    flatc_of_another_version_than_the_headers,
    flatbuffers_before_2_0_8,
    an_older_cpp,
    a_compiler_without_all_of_cpp20,
)


def main():
    global SOURCE
    if len(sys.argv) != 2:
        sys.exit("usage: refusals_test.py SOURCE_TREE")
    SOURCE = pathlib.Path(sys.argv[1]).resolve()
    failed = 0
    for test in TESTS:
        with tempfile.TemporaryDirectory(prefix="gradtail-refusals-") as scratch:
            try:
                test(pathlib.Path(scratch))
            except (AssertionError, OSError, subprocess.SubprocessError) as error:
                failed += 1
                print(f"FAILED {test.__name__}: {error}", flush=True)
    print(f"{len(TESTS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
