# SPDX-License-Identifier: Apache-2.0
"""Meson and the compiler refuse what can't work, each with a clear message."""
import os
import pathlib
import re
import shutil
import tempfile
import unittest

from running import run

SOURCE = pathlib.Path(__file__).resolve().parents[2]

RETURNS = [
    "std::string local; return open(local);",
    "std::byte local[64]; return open(local);",
    "std::string local; return open_copy(local, scratch);",
    "TrailerScratch local; return open_copy(bytes, local);",
    "std::string local; return open_trailer(local, 7);",
    "std::vector<std::string> local; return open(local, scratch);",
    "TrailerScratch local; return open(segments, local);",
    "std::vector<std::string> local; return open_copy(local, scratch);",
    "TrailerScratch local; return open_copy(segments, local);",
    "TrailerScratch local; return strip(bytes, local);",
    "std::vector<std::string> local; return first(local, 7);",
    "Trailer local; return local.bytes();",
    "TrailerScratch local; return local.memory();",
    "OwnedMetadata local; return local.metadata();",
    # Views of what is there afterwards.
    "return open(bytes);",
    "return open(std::span(bytes));",
    "std::string_view view = bytes; return open(view);",
    "std::span<std::string> view = segments; return open(view, scratch);",
    "std::span<std::string> view = segments; return first(view, 7);",
]


def script(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


class Refusals(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="gradtail-refusals-")
        self.scratch = pathlib.Path(self.enterContext(folder))

    def refuses(self, message, *options, **binaries):
        """Configures with these programs in place of the real ones; that must fail and say why."""
        native = self.scratch / "native.ini"
        native.write_text("[binaries]\n" + "".join(f"{name} = '{path}'\n"
                                                   for name, path in binaries.items()))
        said = run("meson", "setup", self.scratch / "build", SOURCE, "--native-file", native,
                   "-Dtests=disabled", "-Dexamples=disabled", *options, expected=1,
                   cwd=self.scratch)
        self.assertIn(message, said)

    def test_flatc_of_another_version_than_the_headers(self):
        flatc = script(self.scratch / "flatc", "echo flatc version 9.8.7\n")
        self.refuses("flatc is 9.8.7, but the FlatBuffers headers are ", flatc=flatc)

    def test_flatbuffers_before_2_0_8(self):
        package = "Name: flatbuffers\nDescription: too old\nVersion: 2.0.7\n"
        (self.scratch / "flatbuffers.pc").write_text(package)
        flatc = script(self.scratch / "flatc", "echo flatc version 2.0.7\n")
        self.refuses("needs FlatBuffers 2.0.8 or newer, headers and flatc (Debian: apt-get install",
                     f"-Dpkg_config_path={self.scratch}", flatc=flatc,
                     cmake=self.scratch / "nothing")

    def test_a_compiler_without_all_of_cpp20(self):
        older = script(self.scratch / "c++", 'exec ${CXX:-c++} "$@" -U__cplusplus -D__cplusplus=201709L\n')
        self.refuses("gradtail needs C++20 as in gcc 11, clang 14", cpp=older)

    def test_any_header_as_an_older_cpp(self):
        """One clear error instead of hundreds."""
        for header in sorted((SOURCE / "include/gradtail").glob("*.hpp")):
            with self.subTest(header.name):
                said = run(*os.environ.get("CXX", "c++").split(), "-std=c++17", "-fsyntax-only",
                           "-I", SOURCE / "include", "-x", "c++", header, expected=1)
                errors = [line for line in said.splitlines() if " error: " in line]
                self.assertEqual(len(errors), 1, said)
                self.assertIn("gradtail needs C++20: compile with -std=c++20", errors[0])

    @unittest.skipUnless(shutil.which("clang++"), "only clang warns of lifetimes")
    def test_views_of_local_variables(self):
        """clang warns of each function that returns a view of a variable of its own."""
        source = self.scratch / "returns.cpp"
        lines = ["#include <gradtail/gradtail.hpp>", "#include <string>", "using namespace gradtail;",
                 "std::string bytes; std::vector<std::string> segments; TrailerScratch scratch;"]
        lines += [f"auto f{i}() {{ {body} }}" for i, body in enumerate(RETURNS)]
        source.write_text("\n".join(lines) + "\n")
        said = run("clang++", "-std=c++20", "-fsyntax-only", "-I", SOURCE / "include", source)
        warned = re.findall(r"returns.cpp:(\d+):.* stack memory associated with local", said)
        self.assertEqual([lines[int(number) - 1] for number in warned],
                         [line for line in lines if "local" in line])

    def test_tests_as_an_older_cpp(self):
        self.refuses("the tests need -Dcpp_std=c++20 or newer", "-Dcpp_std=c++17", "-Dtests=enabled")


if __name__ == "__main__":
    unittest.main()
