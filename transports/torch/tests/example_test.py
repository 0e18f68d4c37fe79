#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the libtorch example as a user would: example_test.py PATH_TO_torch_two_workers."""

import pathlib
import re
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "examples" / "support"))
import testing  # noqa: E402


class TorchTwoWorkers(testing.ExampleTest):
    def start_workers(self, *arguments):
        port = testing.free_port()
        return [self.start(f"--rank={rank}", f"--port={port}", *arguments) for rank in (0, 1)]

    def test_two_workers_learn_what_one_process_learns(self):
        results = [self.finish(worker) for worker in self.start_workers()]
        self.expect(results[1], 0)
        self.expect(results[0], 0)
        first, last, difference = map(float, re.search(
            r"^PASS: loss (\S+) to (\S+), weights differ by (\S+) ", results[0].stdout, re.M).groups())
        self.assertLess(last, first / 2)
        self.assertLess(difference, 1e-5)

    def test_a_worker_reports_the_death_of_the_other(self):
        for killed in (0, 1):
            workers = self.start_workers("--steps=1000000")
            self.line(workers[0], "^step 0: loss ")
            workers[killed].send_signal(signal.SIGKILL)
            self.expect(self.finish(workers[1 - killed], 10), 1, f"worker {1 - killed}: ")


if __name__ == "__main__":
    testing.main()
