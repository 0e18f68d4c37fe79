#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The launcher of the installed Python package: it builds for the PyTorch that it meets, once.

Runs with the Python in whose environment the package and PyTorch are. The last line counts the tests.
"""
import importlib.util
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import venv

from workers import PLAIN, command as run

LAUNCHER = pathlib.Path(sys.executable).with_name("gradtail-pytorch")
TORCH = importlib.util.find_spec("torch")
PASS = """
import sys
import torch
from torch.distributed import autograd, rpc
options = rpc.TensorPipeRpcBackendOptions(init_method="file://" + sys.argv[1])
rpc.init_rpc("alone", rank=0, world_size=1, rpc_backend_options=options)
with autograd.context() as context:
    a = torch.ones(2, requires_grad=True)
    autograd.backward(context, [rpc.rpc_sync("alone", torch.mul, args=(a, a)).sum()])
    assert autograd.get_gradients(context)[a].tolist() == [2, 2]
rpc.shutdown()
"""


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        # A compiler that says when it runs.
        cls.log = cls.folder / "compiled"
        compiler = cls.folder / "compiler"
        compiler.write_text(f'#!/bin/sh\necho run >>"{cls.log}"\nexec c++ "$@"\n')
        compiler.chmod(0o755)
        cls.cached = {"XDG_CACHE_HOME": str(cls.folder / "cache"), "CXX": str(compiler)}
        cls.together = [subprocess.Popen([LAUNCHER, "--check", sys.executable], text=True,
                                         env={**PLAIN, **cls.cached}, stdout=subprocess.PIPE,
                                         stderr=subprocess.STDOUT) for _ in range(3)]
        cls.said = [process.communicate(timeout=600)[0] for process in cls.together]

    def test_of_processes_that_start_together_one_builds(self):
        self.assertEqual([process.returncode for process in self.together], [0] * 3, self.said)
        for said in self.said:
            self.assertIn("serves PyTorch", said)
        self.assertEqual(sum("building the library for" in said for said in self.said), 1, self.said)
        self.assertEqual(self.log.read_text(), "run\n" * 2)  # the part, and the library

    def test_what_is_built_is_used_again(self):
        status, said = run(LAUNCHER, "--check", sys.executable,
                           **{**self.cached, "CXX": "no-such-compiler"})
        self.assertEqual(status, 0, said)
        self.assertNotIn("building", said)
        left = sorted(path.name for path in (self.folder / "cache/gradtail/pytorch").iterdir())
        self.assertEqual(len(left), 2, left)  # the library's folder and the lock

    def test_half_a_library_is_built_again(self):
        """What cleans a cache up by age may take one file of two."""
        built, again = self.folder / "cache", self.folder / "again"
        shutil.copytree(built, again)
        library, part = sorted(again.glob("*/*/*/*.so"))
        part.unlink()
        copies = self.folder / "copies"  # as a compiler
        copies.write_text('#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\n'
                          f'cp "{built}"/*/*/*/"$(basename "$2")" "$2"\n')
        copies.chmod(0o755)
        status, said = run(LAUNCHER, "--check", sys.executable, XDG_CACHE_HOME=str(again),
                           CXX=str(copies))
        self.assertEqual(status, 0, said)
        self.assertTrue(library.exists() and part.exists())

    def test_training_in_each_mode(self):
        for mode, trailers, pickles in [("read", 0, 5), ("write", 5, 0), ("only", 5, 0),
                                        ("write,gradients=read", 3, 2)]:
            with tempfile.TemporaryDirectory() as store:
                status, said = run(LAUNCHER, "--mode", mode, "--count", sys.executable, "-W",
                                   "ignore", "-c", PASS, f"{store}/store", **self.cached)
            self.assertEqual(status, 0, said)
            self.assertIn(f"{trailers} trailers sent, {trailers} received; {pickles} pickles sent, "
                          f"{pickles} received", said)

    def test_headers_in_the_prefix_of_the_python_are_found(self):
        """As conda has them. The package is the wheel's, but for its headers."""
        wheel, prefix = pathlib.Path(TORCH.origin).parent, self.folder / "prefix"
        venv.create(prefix)
        packages = next(prefix.glob("lib/python*/site-packages"))
        (packages / "others.pth").write_text(f"{wheel.parent}\n")
        (packages / "torch").mkdir()
        for folder, to in (wheel, packages / "torch"), (wheel / "include", prefix / "include"):
            for path in folder.iterdir():
                if path.name != "include":
                    (to / path.name).symlink_to(path)
        status, said = run(LAUNCHER, "--check", prefix / "bin/python",
                           XDG_CACHE_HOME=str(prefix / "cache"))
        self.assertEqual(status, 0, said)
        self.assertIn("built in", said)
        self.assertIn(f"of {prefix}/bin/python", said)

    def refused(self, **variables):
        status, said = run(LAUNCHER, "--check", sys.executable,
                           **{"XDG_CACHE_HOME": str(self.folder / "empty"), **variables})
        self.assertEqual(status, 2, said)
        self.assertNotIn("Traceback", said)
        self.assertIn("gradtail-pytorch: ", said)
        return said

    def test_without_a_compiler_it_says_what_to_install(self):
        self.assertIn("there is no C++ compiler, and the library must be built for this PyTorch once",
                      self.refused(PATH=str(self.folder)))
        self.assertIn("CXX is 'none-such'", self.refused(CXX="none-such"))

    def test_a_compiler_that_fails_is_named_with_its_command(self):
        said = self.refused(CXX="false")
        self.assertIn("this command fails\n  false -std=c++20", said)
        full = self.folder / "full"
        full.write_text("#!/bin/sh\necho ld: final link failed: No space left on device\n"
                        "echo collect2: error: ld returned 1 exit status\nexit 1\n")
        full.chmod(0o755)
        self.assertIn("No space left", self.refused(CXX=str(full)))
        left = [path.name for path in (self.folder / "empty/gradtail/pytorch").iterdir()
                if not path.name.endswith(".lock")]
        self.assertEqual(left, [])

    def test_a_cache_that_cannot_be_written_is_named(self):
        self.assertIn("/proc/none/gradtail/pytorch can't be written",
                      self.refused(XDG_CACHE_HOME="/proc/none"))

    def test_a_cache_that_nothing_can_be_preloaded_from_is_named(self):
        for cache in (f"{self.folder}/a b", f"{self.folder}/a:b", "a"):
            self.assertIn(f"'{cache}' can't hold the library", self.refused(XDG_CACHE_HOME=cache))

    def patched(self, patch):
        return run(sys.executable, "-c", "import sys\n"
                   "from gradtail.pytorch import build, launcher, target\n"
                   f"{patch}\nsys.exit(launcher.main(['--check', sys.executable]))",
                   XDG_CACHE_HOME=str(self.folder / "empty"))

    def test_other_systems_are_refused(self):
        for system in ("win32", "darwin"):
            status, said = self.patched(f"sys.platform = '{system}'")
            self.assertEqual(status, 2, said)
            self.assertIn(f"only Linux is supported, where a library can be preloaded, not {system}",
                          said)

    def test_a_pytorch_without_headers_is_refused(self):
        status, said = self.patched(
            "build._headers = lambda torch, real=build._headers: real({**torch, 'includes': ['/none']})")
        self.assertEqual(status, 2, said)
        self.assertIn("has no headers for RPCs with autograd, in none of /none", said)

    def test_an_old_abi_is_refused(self):
        status, said = self.patched("target.describe = lambda python, real=target.describe: "
                                    "{**real(python), 'new_abi': False}")
        self.assertEqual(status, 2, said)
        self.assertIn("use PyTorch 2.7 or newer", said)


if __name__ == "__main__":
    result = unittest.main(exit=False).result
    wrong = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - wrong} passed, {wrong} failed", flush=True)
    sys.exit(wrong != 0)
