# SPDX-License-Identifier: Apache-2.0
"""Runs the examples as a user would. A test is called with the path of the program."""

import ctypes
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import unittest

PR_SET_CHILD_SUBREAPER = 36
DEATH_NOTICE_S = 5


def main():
    """Runs the tests of the calling script. More arguments go to unittest."""
    if len(sys.argv) < 2:
        sys.exit(f"usage: {sys.argv[0]} PATH_TO_PROGRAM [ARGUMENT OF UNITTEST]...")
    ExampleTest.program = sys.argv.pop(1)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # orphans become our children
    unittest.main()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class ExampleTest(unittest.TestCase):
    program = ""

    def run_program(self, *arguments):
        return subprocess.run([self.program, *arguments], capture_output=True, text=True,
                              timeout=60)

    def start(self, *arguments):
        """Starts the program; it ends with the test at the latest."""
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", self.program, *arguments], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def line(self, process, pattern):
        """The next line of output, which must match."""
        line = process.stdout.readline()
        found = re.search(pattern, line)
        self.assertTrue(found, f"{line!r} instead of {pattern!r}")
        return found

    def finish(self, process, timeout=60):
        output, errors = process.communicate(timeout=timeout)
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def expect(self, result, status, *texts):
        output = result.stdout + result.stderr
        self.assertEqual(result.returncode, status, output)
        for text in texts:
            self.assertIn(text, output)

    def expect_wrong_arguments(self, *rows):
        """Each row: arguments, and what the error must say."""
        for arguments, named in rows:
            with self.subTest(arguments):
                self.expect(self.run_program(*arguments), 2, named, "see --help")

    def expect_help(self, *options):
        self.expect(self.run_program("--help"), 0, *(f"--{option}" for option in options))


class TwoWorkersTest(ExampleTest):
    """Deaths of workers, in a program that runs both."""

    long_run = ""
    hang_notice, hang_notice_s = "", 0

    def start_long_run(self):
        process = self.start(self.long_run)
        workers = self.line(process, r"process (\d+), .* process (\d+)").groups()
        self.line(process, "(epoch|step) |refused")
        return process, int(workers[1])

    def stop_worker_1(self, by, notice, limit_s):
        process, worker1 = self.start_long_run()
        os.kill(worker1, by)
        start = time.monotonic()
        self.expect(self.finish(process), 1, notice)
        self.assertLess(time.monotonic() - start, limit_s)
        self.assertFalse(pathlib.Path("/proc", str(worker1)).exists(), "worker 1 is left behind")

    def test_worker_0_reports_the_death_of_worker_1(self):
        self.stop_worker_1(signal.SIGKILL, "worker 0: worker 1 is gone", DEATH_NOTICE_S)

    def test_worker_0_reports_that_worker_1_hangs(self):
        self.stop_worker_1(signal.SIGSTOP, self.hang_notice, self.hang_notice_s)

    def test_worker_1_reports_the_death_of_worker_0(self):
        process, worker1 = self.start_long_run()
        process.kill()
        start = time.monotonic()
        result = self.finish(process)
        _, status = os.waitpid(worker1, 0)
        self.assertLess(time.monotonic() - start, DEATH_NOTICE_S)
        self.assertEqual(os.waitstatus_to_exitcode(status), 1)
        self.assertIn("worker 1: worker 0 is gone", result.stderr)
