# SPDX-License-Identifier: Apache-2.0
"""Builds and runs users of the library as a Makefile, CMake and Meson make them.

They use it installed, moved after installation, static, shared and as a Meson subproject.
"""

import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

SKIPPED = 77
TOOLS = ("cmake", "make", "meson", "ninja", "pkg-config")
CONSUMERS = pathlib.Path(__file__).resolve().parent
SOURCE = CONSUMERS.parents[2]
BUILD = None


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
            return json.loads(run(["meson", "introspect", what, folder]))
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


@dataclasses.dataclass
class Package:
    """The library as installed below `root`, with the environment of somebody who uses it there."""
    build: Build
    root: pathlib.Path

    @property
    def prefix(self):
        return pathlib.Path(f"{self.root}{self.build.options['prefix']}")

    @property
    def libdir(self):
        return self.prefix / self.build.options["libdir"]

    def environment(self):
        # Only this package is to be found: neither a system's gradtail nor its FlatBuffers.
        warnings = "-Wall -Wextra" + (" -Werror" if self.build.options["werror"] else "")
        return clean_environment() | {
            "CXX": self.build.compiler,
            "CXXFLAGS": warnings,
            "PKG_CONFIG_LIBDIR": str(self.libdir / "pkgconfig"),
            "PKG_CONFIG_SYSROOT_DIR": str(self.root),
        }


def clean_environment():
    ours = ("DESTDIR", "LD_LIBRARY_PATH", "MAKEFLAGS", "PKG_CONFIG_PATH")
    return {name: value for name, value in os.environ.items() if name not in ours}


def run(command, expected=0, **options):
    """Runs a command and returns what it printed; its exit status must be as expected."""
    command = [str(word) for word in command]
    options.setdefault("env", clean_environment())
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, **options)
    assert done.returncode == expected, (
        f"{' '.join(command)}: exit status {done.returncode}, not {expected}\n{done.stdout}")
    return done.stdout


def install(build, root):
    run(["meson", "install", "-C", build.folder, "--no-rebuild", "--destdir", root])
    return Package(build, root)


def move(package, root):
    package.root.rename(root)
    return Package(package.build, root)


def build_other_kind(build, folder):
    """A static library where the build made a shared one, and the other way round."""
    kind = "shared" if build.is_static else "static"
    run(["meson", "setup", folder, SOURCE, f"-Ddefault_library={kind}", "--prefix=/opt/gradtail",
         "--libdir=lib", "-Dtests=disabled", "-Dexamples=disabled", build.same_flatbuffers],
        env=clean_environment() | {"CXX": build.compiler})
    run(["ninja", "-C", folder])
    return Build.of(folder)


def work_folder(package, name):
    """A fresh copy of the consumers beside the package, and the folder of one of them in it."""
    copy = package.root.parent / "consumers"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(CONSUMERS, copy)
    return copy / name


def run_consumer(package, program, **environment):
    run([program], env=clean_environment() | environment)
    needs_library = b"libgradtail.so" in program.read_bytes()
    assert needs_library != package.build.is_static, "linked with the wrong kind of library"


def a_makefile_finds_it_through_pkg_config(package, more_flags=""):
    folder = work_folder(package, "pkgconfig")
    environment = package.environment()
    environment["CXXFLAGS"] += more_flags
    run(["make", "-C", folder], env=environment)
    run_consumer(package, folder / "consumer", LD_LIBRARY_PATH=str(package.libdir))


def exceptions_and_rtti_are_not_needed(package):
    a_makefile_finds_it_through_pkg_config(package, " -fno-exceptions -fno-rtti")


def nothing_of_flatbuffers_is_needed(package):
    environment = package.environment()
    asked = ["pkg-config", "--print-requires", "--print-requires-private", "gradtail"]
    assert run(asked, env=environment) == "", "gradtail.pc requires another package"
    flags = run(["pkg-config", "--cflags", "gradtail"], env=environment).strip()
    command = f"{package.build.compiler} -std=c++20 {flags} -M consumer.cpp"
    headers = run(["sh", "-c", command], cwd=CONSUMERS, env=environment)
    assert "gradtail/open.hpp" in headers and "flatbuffers" not in headers, headers


def an_archive_shares_nothing_with_the_users_flatbuffers(package):
    if package.build.is_static:
        names = run(["nm", "-C", next(package.libdir.glob("libgradtail.a"))])
        shared = re.findall(r".* [VW] .*\bflatbuffers::.*", names)
        assert not shared, "the linker would merge these:\n" + "\n".join(shared)


def configure_with_cmake(package, folder, version, expected=0, components=""):
    # CMake searches lib and its multiarch folder below a prefix, but on Debian not lib64.
    usual = package.build.options["libdir"].split("/")[0] == "lib"
    hint = (f"-DCMAKE_PREFIX_PATH={package.prefix}" if usual
            else f"-Dgradtail_DIR:PATH={package.libdir}/cmake/gradtail")
    return run(["cmake", "-G", "Ninja", "-S", folder, "-B", folder / "build", hint,
                f"-DGRADTAIL_VERSION={version}", f"-DGRADTAIL_COMPONENTS={components}"],
               expected, env=package.environment())


def cmake_finds_it(package):
    folder = work_folder(package, "cmake")
    major, minor, _ = package.build.version.split(".")
    configure_with_cmake(package, folder, f"{major}.{minor}")
    found = f"gradtail_DIR:PATH={package.libdir}/cmake/gradtail"
    assert found in (folder / "build/CMakeCache.txt").read_text(), f"not found: {found}"
    run(["cmake", "--build", folder / "build"], env=package.environment())
    run_consumer(package, folder / "build/consumer")


def cmake_refuses_versions_that_may_differ(package):
    folder = work_folder(package, "cmake")
    major, minor, _ = map(int, package.build.version.split("."))
    for other in (f"{major}.{abs(minor - 1)}", f"{major}.{minor + 1}", f"{major + 1}.{minor}"):
        said = configure_with_cmake(package, folder, other, expected=1)
        assert f"version: {package.build.version}" in said, said


def cmake_refuses_components(package):
    folder = work_folder(package, "cmake")
    said = configure_with_cmake(package, folder, "", expected=1, components="COMPONENTS;nonsense")
    assert 'gradtail has no component "nonsense"' in said, said
    configure_with_cmake(package, folder, "", components="OPTIONAL_COMPONENTS;nonsense")


def cmake_finds_it_through_a_linked_folder(package):
    """As on a system where /lib is a link to /usr/lib."""
    folder = work_folder(package, "cmake")
    link = folder / "lib"
    link.symlink_to(package.libdir)
    run(["cmake", "-G", "Ninja", "-S", folder, "-B", folder / "build",
         f"-Dgradtail_DIR:PATH={link}/cmake/gradtail"], env=package.environment())
    run(["cmake", "--build", folder / "build"], env=package.environment())


def sources_of(commands):
    """The library's files that these commands compile, each with the flags that matter."""
    flags = r"-D(?:flatbuffers|GRADTAIL_)\S*|-fno-\S*-\S*|-fvisibility=\S*"
    found = set()
    for command in commands:
        path = pathlib.Path(command["directory"], command["file"]).resolve()
        if path.is_relative_to(SOURCE / "src"):
            found.add((str(path), *sorted(set(re.findall(flags, command["command"])))))
    return found


def cmake_builds_it_as_a_subdirectory(package):
    folder = work_folder(package, "cmake_subdirectory")
    run(["cmake", "-G", "Ninja", "-S", folder, "-B", folder / "build",
         f"-DGRADTAIL_SOURCE={SOURCE}", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON"],
        env=clean_environment() | {"CXX": package.build.compiler})
    run(["cmake", "--build", folder / "build"])
    run([folder / "build/consumer"])
    by_cmake = json.loads((folder / "build/compile_commands.json").read_text())
    by_meson = json.loads((package.build.folder / "compile_commands.json").read_text())
    by_meson = [command for command in by_meson if "/libgradtail" in command["output"]]
    ours, theirs = sources_of(by_cmake), sources_of(by_meson)
    assert ours and ours == theirs, f"CMake compiles {sorted(ours)}, Meson {sorted(theirs)}"


def meson_finds_it_installed(package):
    folder = work_folder(package, "meson")
    run(["meson", "setup", folder / "build", folder, "--wrap-mode=nofallback"],
        env=package.environment())
    run(["ninja", "-C", folder / "build"], env=package.environment())
    run_consumer(package, folder / "build/consumer", LD_LIBRARY_PATH=str(package.libdir))


def meson_builds_it_as_a_subproject(package):
    folder = work_folder(package, "meson")
    copy_source(folder / "subprojects/gradtail", package.build.folder)
    run(["meson", "setup", folder / "build", folder, "--wrap-mode=forcefallback",
         f"-Dwerror={str(package.build.options['werror']).lower()}",
         package.build.same_flatbuffers],
        env=clean_environment() | {"CXX": package.build.compiler})
    targets = json.loads(run(["meson", "introspect", "--targets", folder / "build"]))
    names = {target["name"] for target in targets}
    only = {"consumer", "gradtail", "autograd_metadata_generated.h"}
    assert names == only, f"targets are {sorted(names)}, not {sorted(only)}"
    run(["ninja", "-C", folder / "build"])
    run([folder / "build/consumer"])


def copy_source(to, build_folder):
    def left_out(folder, names):
        top = pathlib.Path(folder) == SOURCE
        return [name for name in names if pathlib.Path(folder, name) == build_folder or
                top and (name == ".git" or name.startswith("build"))]
    shutil.copytree(SOURCE, to, ignore=left_out)


WAYS = (a_makefile_finds_it_through_pkg_config, cmake_finds_it, meson_finds_it_installed)
ONCE = (exceptions_and_rtti_are_not_needed, nothing_of_flatbuffers_is_needed,
        an_archive_shares_nothing_with_the_users_flatbuffers,
        cmake_refuses_versions_that_may_differ, cmake_refuses_components,
        cmake_finds_it_through_a_linked_folder)


class Consumers(unittest.TestCase):
    def check(self, where, tests, *arguments):
        for test in tests:
            with self.subTest(f"{where}: {test.__name__.replace('_', ' ')}"):
                test(*arguments)

    def test_installed_moved_and_as_a_subproject(self):
        build = Build.of(BUILD)
        with tempfile.TemporaryDirectory(prefix="gradtail-consumers-") as folder:
            scratch = pathlib.Path(folder)
            package = install(build, scratch / "installed")
            self.check("installed", WAYS + ONCE, package)
            package = move(package, scratch / "moved")
            self.check("moved", WAYS, package)
            self.check("subproject", [meson_builds_it_as_a_subproject], package)
            self.check("subdirectory", [cmake_builds_it_as_a_subdirectory], package)
            other = build_other_kind(build, scratch / "other")
            package = move(install(other, scratch / "other-installed"), scratch / "other-moved")
            self.check(f"{other.options['default_library']}, moved",
                       WAYS + (an_archive_shares_nothing_with_the_users_flatbuffers,), package)


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def main():
    global BUILD
    if len(sys.argv) < 2:
        sys.exit("usage: test.py BUILD_FOLDER, which must be complete")
    BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        skip(f"not installed: {', '.join(missing)}")
    # Meson 1.8 and later have a list.
    if Build.of(BUILD).options["b_sanitize"] not in ("none", []):
        skip("users of a build with sanitizers would need the sanitizers' flags too")
    unittest.main()


if __name__ == "__main__":
    main()
