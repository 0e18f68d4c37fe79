# SPDX-License-Identifier: Apache-2.0
"""Builds and runs users of the library as a Makefile, CMake and Meson make them.

They use it installed below another root than the one it was configured for, static, shared, as a
Meson subproject and as a CMake subdirectory. Argument: the build folder, which must be complete.
"""

import dataclasses
import json
import pathlib
import re
import shutil
import sys
import tempfile
import unittest

from running import clean_environment, run

SKIPPED = 77
TOOLS = ("cmake", "make", "meson", "ninja", "pkg-config")
CONSUMERS = pathlib.Path(__file__).resolve().parent / "consumers"
SOURCE = CONSUMERS.parents[2]


@dataclasses.dataclass
class Build:
    """A build folder of the library, and what it was configured with."""
    folder: pathlib.Path
    options: dict
    compiler: str
    version: str

    @staticmethod
    def of(folder):
        def introspect(what):
            return json.loads(run("meson", "introspect", what, folder))
        options = {option["name"]: option["value"] for option in introspect("--buildoptions")}
        compilers = [group.get("compiler") for target in introspect("--targets")
                     if target["name"] == "gradtail" for group in target["target_sources"]]
        compiler = " ".join(next(filter(None, compilers)))
        return Build(folder, options, compiler, introspect("--projectinfo")["version"])

    @property
    def is_static(self):
        return self.options["default_library"] == "static"

    @property
    def same_flatbuffers(self):
        """The option of Meson that makes another build find the FlatBuffers of this one."""
        return "-Dpkg_config_path=" + ",".join(self.options["pkg_config_path"])

    def build_other_kind(self, folder):
        """A static library where the build made a shared one, and the other way round."""
        kind = "shared" if self.is_static else "static"
        run("meson", "setup", folder, SOURCE, f"-Ddefault_library={kind}", "--prefix=/opt/gradtail",
            "--libdir=lib", "-Dtests=disabled", "-Dexamples=disabled", self.same_flatbuffers,
            env=clean_environment(CXX=self.compiler))
        run("ninja", "-C", folder)
        return Build.of(folder)


class Users(unittest.TestCase):
    """What each test has: a copy of the consumers, and a build."""
    build = None

    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="gradtail-consumers-"))
        self.consumers = pathlib.Path(folder, "consumers")
        shutil.copytree(CONSUMERS, self.consumers)

    def run_user(self, program, **environment):
        run(program, env=clean_environment(**environment))
        needs_library = b"libgradtail.so" in program.read_bytes()
        self.assertNotEqual(needs_library, self.build.is_static, "the wrong kind of library")


class Package(Users):
    """The library as installed, with the environment of somebody who uses it there."""
    @classmethod
    def setUpClass(cls):
        folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="gradtail-installed-"))
        cls.build = cls.chosen_build(pathlib.Path(folder, "build"))
        root = f"{folder}/root"
        run("meson", "install", "-C", cls.build.folder, "--no-rebuild", "--destdir", root)
        cls.prefix = pathlib.Path(f"{root}{cls.build.options['prefix']}")
        cls.libdir = cls.prefix / cls.build.options["libdir"]
        warnings = "-Wall -Wextra" + (" -Werror" if cls.build.options["werror"] else "")
        # Only this package is to be found: neither a system's gradtail nor its FlatBuffers.
        cls.environment = clean_environment(
            CXX=cls.build.compiler, CXXFLAGS=warnings, PKG_CONFIG_SYSROOT_DIR=root,
            PKG_CONFIG_LIBDIR=f"{cls.libdir}/pkgconfig")

    @classmethod
    def chosen_build(cls, _folder):
        return Build.of(BUILD)

    def use_makefile(self, more_flags=""):
        folder = self.consumers / "pkgconfig"
        flags = self.environment["CXXFLAGS"] + more_flags
        run("make", "-C", folder, env=self.environment | {"CXXFLAGS": flags})
        self.run_user(folder / "consumer", LD_LIBRARY_PATH=str(self.libdir))

    def configure_with_cmake(self, version="", expected=0, components="", found_in=None):
        # CMake searches lib and its multiarch folder below a prefix, but on Debian not lib64.
        usual = found_in is None and self.build.options["libdir"].split("/")[0] == "lib"
        hint = (f"-DCMAKE_PREFIX_PATH={self.prefix}" if usual
                else f"-Dgradtail_DIR:PATH={found_in or self.libdir}/cmake/gradtail")
        folder = self.consumers / "cmake"
        return run("cmake", "-G", "Ninja", "-S", folder, "-B", folder / "build", hint,
                   f"-DGRADTAIL_VERSION={version}", f"-DGRADTAIL_COMPONENTS={components}",
                   expected=expected, env=self.environment)

    def build_with_cmake(self):
        run("cmake", "--build", self.consumers / "cmake/build", env=self.environment)
        self.run_user(self.consumers / "cmake/build/consumer")


class Ways:
    """How a program finds the package and is linked with it."""

    def test_a_makefile_finds_it_through_pkg_config(self):
        self.use_makefile()

    def test_cmake_finds_it(self):
        major, minor, _ = self.build.version.split(".")
        self.configure_with_cmake(f"{major}.{minor}")
        found = f"gradtail_DIR:PATH={self.libdir}/cmake/gradtail"
        self.assertIn(found, (self.consumers / "cmake/build/CMakeCache.txt").read_text())
        self.build_with_cmake()

    def test_meson_finds_it(self):
        folder = self.consumers / "meson"
        run("meson", "setup", folder / "build", folder, "--wrap-mode=nofallback",
            env=self.environment)
        run("ninja", "-C", folder / "build", env=self.environment)
        self.run_user(folder / "build/consumer", LD_LIBRARY_PATH=str(self.libdir))

    def test_an_archive_shares_nothing_with_the_users_flatbuffers(self):
        if self.build.is_static:
            names = run("nm", "-C", self.libdir / "libgradtail.a")
            self.assertEqual(re.findall(r".* [VW] .*\bflatbuffers::.*", names), [],
                             "the linker would merge these")


class Installed(Package, Ways):
    def test_exceptions_and_rtti_are_not_needed(self):
        self.use_makefile(" -fno-exceptions -fno-rtti")

    def test_nothing_of_flatbuffers_is_needed(self):
        asked = ("pkg-config", "--print-requires", "--print-requires-private", "gradtail")
        self.assertEqual(run(*asked, env=self.environment), "", "gradtail.pc requires a package")
        flags = run("pkg-config", "--cflags", "gradtail", env=self.environment).strip()
        command = f"{self.build.compiler} -std=c++20 {flags} -M consumer.cpp"
        headers = run("sh", "-c", command, cwd=CONSUMERS, env=self.environment)
        self.assertIn("gradtail/open.hpp", headers)
        self.assertNotIn("flatbuffers", headers)

    def test_cmake_refuses_versions_that_may_differ(self):
        major, minor, _ = map(int, self.build.version.split("."))
        for other in (f"{major}.{abs(minor - 1)}", f"{major}.{minor + 1}", f"{major + 1}.{minor}"):
            said = self.configure_with_cmake(other, expected=1)
            self.assertIn(f"version: {self.build.version}", said)

    def test_cmake_refuses_components(self):
        said = self.configure_with_cmake(expected=1, components="COMPONENTS;nonsense")
        self.assertIn('gradtail has no component "nonsense"', said)
        self.configure_with_cmake(components="OPTIONAL_COMPONENTS;nonsense")

    def test_cmake_finds_it_through_a_linked_folder(self):
        """As on a system where /lib is a link to /usr/lib."""
        link = self.consumers / "lib"
        link.symlink_to(self.libdir)
        self.configure_with_cmake(found_in=link)
        self.build_with_cmake()


class OtherKind(Package, Ways):
    """The library that the build didn't make: static or shared."""

    @classmethod
    def chosen_build(cls, folder):
        return Build.of(BUILD).build_other_kind(folder)


class FromSource(Users):
    @classmethod
    def setUpClass(cls):
        cls.build = Build.of(BUILD)
        cls.environment = clean_environment(CXX=cls.build.compiler)

    def test_meson_builds_it_as_a_subproject(self):
        def left_out(folder, names):
            top = pathlib.Path(folder) == SOURCE
            return [name for name in names if pathlib.Path(folder, name) == BUILD or
                    top and (name == ".git" or name.startswith("build"))]

        folder = self.consumers / "meson"
        shutil.copytree(SOURCE, folder / "subprojects/gradtail", ignore=left_out)
        run("meson", "setup", folder / "build", folder, "--wrap-mode=forcefallback",
            f"-Dwerror={str(self.build.options['werror']).lower()}", self.build.same_flatbuffers,
            env=self.environment)
        targets = json.loads(run("meson", "introspect", "--targets", folder / "build"))
        self.assertEqual({target["name"] for target in targets},
                         {"consumer", "gradtail", "autograd_metadata_generated.h"})
        run("ninja", "-C", folder / "build")
        run(folder / "build/consumer")

    def build_as_cmake_subdirectory(self, shared):
        folder = self.consumers / "cmake_subdirectory"
        run("cmake", "-G", "Ninja", "-S", folder, "-B", folder / "build",
            f"-DGRADTAIL_SOURCE={SOURCE}", f"-DBUILD_SHARED_LIBS={shared}",
            "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON", env=self.environment)
        run("cmake", "--build", folder / "build")
        run(folder / "build/consumer")
        return folder / "build"

    def test_cmake_builds_the_same_as_a_subdirectory(self):
        build = self.build_as_cmake_subdirectory("OFF")
        by_cmake = json.loads((build / "compile_commands.json").read_text())
        by_meson = json.loads((BUILD / "compile_commands.json").read_text())
        by_meson = [command for command in by_meson if "/libgradtail" in command["output"]]
        self.assertTrue(sources_of(by_meson))
        self.assertEqual(sources_of(by_cmake), sources_of(by_meson))

    def test_a_shared_library_by_cmake_is_linked_like_that_of_meson(self):
        library, = self.build_as_cmake_subdirectory("ON").rglob("libgradtail.so")
        run(sys.executable, SOURCE / "tests/system/exports_test.py", "nm", library)


def sources_of(commands):
    """The library's files that these commands compile, each with the flags that matter."""
    flags = r"-D(?:flatbuffers|GRADTAIL_)\S*|-fno-\S*-\S*|-fvisibility=\S*"
    found = set()
    for command in commands:
        path = pathlib.Path(command["directory"], command["file"]).resolve()
        if path.is_relative_to(SOURCE / "src"):
            found.add((str(path), *sorted(set(re.findall(flags, command["command"])))))
    return found


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: consumers_test.py BUILD_FOLDER")
    BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        skip(f"not installed: {', '.join(missing)}")
    # Meson 1.8 and later have a list.
    if Build.of(BUILD).options["b_sanitize"] not in ("none", []):
        skip("users of a build with sanitizers would need the sanitizers' flags too")
    unittest.main()
