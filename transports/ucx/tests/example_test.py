#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs both ends of the UCX example as users would: example_test.py PATH_TO_ucx_placement."""

import os
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "examples" / "support"))
import testing  # noqa: E402

os.environ["UCX_TLS"] = "tcp"


class Placement(testing.ExampleTest):
    def place(self, *flags):
        """Runs a receiver, and senders until one has reached it."""
        address = f"127.0.0.1:{testing.free_port()}"
        receiver = self.start("--listen", address, *flags)
        for _ in range(50):
            sent = self.run_program("--connect", address, *flags)
            if sent.returncode == 0 or receiver.poll() is not None:
                break
            time.sleep(0.1)
        received = self.finish(receiver, 30)
        self.expect(sent, 0, "sent 8 tensors")
        self.expect(received, 0, "PASS: 8 tensors placed, 0 messages refused")
        lines = re.findall(r"^pass \d+: (\d+ bytes for \S+), which (.*)", received.stdout, re.M)
        self.assertEqual(len(lines), 8, received)
        self.assertEqual(
            lines.count(("16777216 bytes for cuda:1", "are still with the sender")), 2, received)

    def test_payloads_are_placed_over_tcp(self):
        self.place()

    def test_payloads_are_placed_over_shared_memory(self):
        self.place("--shared-memory")

    def test_nobody_there_is_said(self):
        address = f"127.0.0.1:{testing.free_port()}"
        self.expect(self.run_program("--connect", address), 1, "the peer is gone")

    def test_wrong_arguments_are_said(self):
        for arguments, text in (((), "--listen,--connect"), (("--listen", "1"), "has no :PORT"),
                                (("--listen", "h:1", "--what"), "--what")):
            with self.subTest(arguments):
                self.expect(self.run_program(*arguments), 2, text)

    def test_the_help_names_each_option(self):
        self.expect_help("listen", "connect", "shared-memory")


if __name__ == "__main__":
    testing.main()
