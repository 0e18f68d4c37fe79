#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The launcher and the library's environment variables: what works, and what they say otherwise.

Usage: launcher_test.py LIBGRADTAIL_PYTORCH.SO
"""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

from workers import PLAIN, command as run

LIBRARY = pathlib.Path(sys.argv.pop(1)).resolve()
LAUNCHER = LIBRARY.parent / "gradtail-pytorch"
CHECK = """
check = library.gradtail_pytorch_check
check.restype = ctypes.c_char_p
print(check())
"""
CALL = """
import sys, torch
from torch.distributed import autograd, rpc
options = rpc.TensorPipeRpcBackendOptions(init_method="file://" + sys.argv[1])
rpc.init_rpc("alone", rank=0, world_size=1, rpc_backend_options=options)
with autograd.context():
    a = torch.ones(2, requires_grad=True)
    try:
        rpc.rpc_sync("alone", torch.mul, args=(a, a))
    except RuntimeError as error:
        print(error)
rpc.shutdown()
"""
# PyTorch's word for its version, as a library that is preloaded, too.
OTHER_VERSION = """
#include <string>
namespace at { std::string show_config() { return "TORCH_VERSION=9.9,"; } }
"""


class Launcher(unittest.TestCase):
    def test_it_runs_a_command_with_the_library(self):
        status, said = run(LAUNCHER, sys.executable, "-c",
                           "import os; print(os.environ['LD_PRELOAD']); exit(7)")
        self.assertEqual((status, said.strip()), (7, str(LIBRARY)))

    def test_it_finds_the_python_behind_another_command(self):
        long_path = f"#!/bin/sh\n'''exec' \"{sys.executable}\" \"$0\" \"$@\"\n' '''"
        with tempfile.TemporaryDirectory() as folder:
            script, python = pathlib.Path(folder) / "script", pathlib.Path(folder) / "python0.1"
            python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
            python.chmod(0o755)
            for start in (f"#!{sys.executable}", long_path, f"#!/usr/bin/env {python.name}"):
                script.write_text(f"{start}\nimport sys, torch\nsys.exit(7)\n")
                script.chmod(0o755)
                self.assertEqual(run(LAUNCHER, script, PATH=f"{folder}:/usr/bin:/bin"), (7, ""))
        status, said = run(LAUNCHER, "env", "A=B", "nice", sys.executable, "-c", "exit(7)",
                           PATH="/usr/bin:/bin")
        self.assertEqual((status, said), (7, ""))

    def test_a_mode_may_be_given_for_a_kind_of_message(self):
        status, said = run(LAUNCHER, "--mode", "write,cleanup=only", sys.executable, "-c",
                           "import os; print(os.environ['GRADTAIL_PYTORCH'])")
        self.assertEqual((status, said), (0, "write,cleanup=only\n"))
        for mode in ("write,cleanup", "write,cleanup=", "write,=read", "write,other=read",
                     "cleanup=read"):
            for command in ((LAUNCHER, "--mode", mode, "true"),
                            ("env", f"LD_PRELOAD={LIBRARY}", f"GRADTAIL_PYTORCH={mode}", "true")):
                status, said = run(*command)
                self.assertEqual(status, 2, (mode, said))
                self.assertIn("rref_backward", said)

    def test_it_counts(self):
        status, said = run(LAUNCHER, "--count", sys.executable, "-c",
                           f"import ctypes, torch\nlibrary = ctypes.CDLL(None){CHECK}")
        self.assertEqual(status, 0)
        # It writes the four that it receives, too.
        self.assertIn("8 trailers sent, 4 received; 0 pickles sent, 0 received", said)

    def test_it_names_what_it_serves(self):
        status, said = run(LAUNCHER, "--check", sys.executable)
        self.assertEqual(status, 0, said)
        self.assertIn("serves PyTorch", said)

    def test_a_python_without_pytorch_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "torch.py").write_text("raise ImportError('not here')\n")
            status, said = run(LAUNCHER, sys.executable, "train.py", PYTHONPATH=folder)
        self.assertEqual(status, 2, said)
        self.assertIn("has no PyTorch: not here", said)

    def test_a_pytorch_that_is_not_loaded_is_not_served(self):
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "torch.py").write_text("__version__ = '9.9'\n")
            status, said = run(LAUNCHER, sys.executable, "train.py", PYTHONPATH=folder)
        self.assertEqual(status, 2, said)
        self.assertIn("PyTorch 9.9 of", said)
        self.assertIn("has not loaded libtorch_cpu", said)

    def test_another_pytorch_is_not_served(self):
        with tempfile.TemporaryDirectory() as folder:
            other = pathlib.Path(folder) / "libtorch_cpu.so.9"
            subprocess.run(["cc", "-shared", "-x", "c", "/dev/null", "-o", other], check=True)
            (pathlib.Path(folder) / "torch.py").write_text(
                f"import ctypes\n__version__ = '9.9'\nctypes.CDLL('{other}')\n")
            status, said = run(LAUNCHER, sys.executable, "train.py", PYTHONPATH=folder)
        self.assertEqual(status, 2, said)
        self.assertIn("build gradtail for it", said)

    def test_another_version_of_the_same_name_is_not_served(self):
        """Where nobody checked either, as behind a shell: its classes may have other layouts."""
        with tempfile.TemporaryDirectory() as folder:
            other = f"{folder}/other.so"
            subprocess.run(["c++", "-shared", "-fPIC", "-x", "c++", "-", "-o", other], check=True,
                           input=OTHER_VERSION, text=True)
            for command in ((LAUNCHER, "--check", sys.executable),
                            ("env", f"LD_PRELOAD={LIBRARY}:{other}", sys.executable, "-W", "ignore",
                             "-c", CALL, f"{folder}/store")):
                self.assertIn("which isn't the one in this process: that is another version",
                              run(*command, LD_PRELOAD=other)[1])

    def test_a_pytorch_that_calls_its_own_functions_is_not_served(self):
        # What is loaded after PyTorch replaces nothing.
        status, said = run(sys.executable, "-c", "import ctypes, torch\n"
                           f"library = ctypes.CDLL('{LIBRARY}', ctypes.RTLD_GLOBAL){CHECK}")
        self.assertEqual(status, 0, said)
        self.assertIn("this PyTorch doesn't let a preloaded library replace "
                      "RpcWithAutograd::toMessageImpl", said)

    def test_a_bad_mode_is_named(self):
        for command, variables in [((LAUNCHER, "--mode", "red", "true"), {}),
                                   ((LAUNCHER, "true"), {"GRADTAIL_PYTORCH": "red"}),
                                   (("true",), {"GRADTAIL_PYTORCH": "red", "LD_PRELOAD": LIBRARY}),
                                   (("true",), {"GRADTAIL_PYTORCH": "", "LD_PRELOAD": LIBRARY})]:
            variables = {key: str(value) for key, value in variables.items()}
            status, said = run(*command, **variables)
            self.assertEqual(status, 2, said)
            self.assertIn("only", said)

    def test_a_missing_command_is_named(self):
        for arguments in ([], ["no-such-command"], ["--no-such-option"]):
            status, said = run(LAUNCHER, *arguments)
            self.assertEqual(status, 2, said)
            self.assertIn("gradtail-pytorch", said)

    def test_a_command_that_cannot_be_run_is_named(self):
        path = f"{os.path.dirname(sys.executable)}:/bin"
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as unreadable:
            unreadable.bind(f"{folder}/unreadable")
            os.chmod(f"{folder}/unreadable", 0o755)
            text = pathlib.Path(folder) / "text"
            text.write_text("exit 7\n")
            text.chmod(0o755)
            for command in ([text], ["--count", text], [f"{folder}/unreadable"]):
                status, said = run(LAUNCHER, *command, PATH=path)
                self.assertEqual(status, 2, said)
                self.assertNotIn("Traceback", said)
                self.assertIn("gradtail-pytorch: [Errno", said)

    def test_a_library_that_cannot_be_preloaded_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(LAUNCHER, folder)
            (pathlib.Path(folder) / LIBRARY.name).write_text("not a library")
            status, said = run(f"{folder}/{LAUNCHER.name}", "--check", sys.executable)
        self.assertEqual(status, 2, said)
        self.assertIn("the library can't be preloaded into", said)
        self.assertIn(f"{folder}/{LIBRARY.name}", said)  # the loader's reason
        self.assertNotIn("Traceback", said)

    def test_a_process_without_pytorch_is_left_alone(self):
        self.assertEqual(run("echo", "here", LD_PRELOAD=str(LIBRARY)), (0, "here\n"))

    def test_a_program_may_change_its_folder(self):
        status, said = run(
            sys.executable, "-c", "import ctypes, os, torch; os.chdir('/')\n"
            f"library = ctypes.CDLL(None){CHECK}", LD_PRELOAD=os.path.relpath(LIBRARY, os.getcwd()))
        self.assertEqual((status, said), (0, "None\n"))

    def test_counts_are_kept_in_a_file_that_is_closed_again(self):
        mask = os.umask(0)
        os.umask(mask)
        for close_first in ("", "<&-"):  # then the file gets number 0
            with tempfile.TemporaryDirectory() as folder:
                path = f"{folder}/counts"
                status, said = run("sh", "-c", f"exec ls -l /proc/self/fd {close_first}",
                                   LD_PRELOAD=str(LIBRARY), GRADTAIL_PYTORCH_COUNTS=path)
                self.assertEqual(status, 0, said)
                self.assertNotIn(path, said)
                self.assertEqual(os.path.getsize(path), 5 * 8)
                self.assertEqual(os.stat(path).st_mode & 0o7777, 0o666 & ~mask)

    def test_counts_that_cannot_be_kept_are_named_and_end_nothing(self):
        status, said = run("echo", "here", LD_PRELOAD=str(LIBRARY),
                           GRADTAIL_PYTORCH_COUNTS="/none/here")
        self.assertEqual(status, 0)
        self.assertIn("/none/here", said)
        self.assertIn("here\n", said)

    def test_a_file_of_something_else_is_left_alone(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(bytes(1000))
            file.flush()
            status, said = run("true", LD_PRELOAD=str(LIBRARY), GRADTAIL_PYTORCH_COUNTS=file.name)
            self.assertEqual((status, os.path.getsize(file.name)), (0, 1000))
            self.assertIn("something else", said)

    def test_counting_passes_a_status_and_signals_on(self):
        status, _ = run(LAUNCHER, "--count", sys.executable, "-c", "exit(7)")
        self.assertEqual(status, 7)
        code = ("import signal, time\n"
                "for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):\n"
                "    signal.signal(number, lambda passed, _: print(passed, flush=True))\n"
                "print(signal.getsignal(signal.SIGINT) == signal.SIG_IGN, flush=True)\n"
                "time.sleep(60)")
        # As in the background of a script, where Ctrl-C is ignored.
        with subprocess.Popen(
                ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", LAUNCHER, "--count", sys.executable,
                 "-c", code],
                env=PLAIN, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as launched:
            self.assertEqual(launched.stdout.readline(), "True\n")
            launched.send_signal(signal.SIGINT)
            for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
                launched.send_signal(number)
                self.assertEqual(launched.stdout.readline(), f"{int(number)}\n")
            launched.terminate()
            said = launched.communicate(timeout=60)[0]
        self.assertEqual(launched.returncode, 128 + 15)
        self.assertIn("0 trailers sent", said)


if __name__ == "__main__":
    unittest.main()
