#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs both ends of the UCX example as users would: example_test.py PATH_TO_ucx_placement."""

import os
import re
import socket
import subprocess
import sys
import time
import unittest


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(*arguments, **environment):
    return subprocess.Popen([PROGRAM, *arguments], text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, env={**os.environ, **environment})


def finish(process, seconds=30):
    try:
        output, _ = process.communicate(timeout=seconds)
    finally:
        process.kill()
    return process.returncode, output


def exchange(*flags, **environment):
    """The outputs of a receiver and of the sender that reached it."""
    address = f"127.0.0.1:{free_port()}"
    receiver = start("--listen", address, *flags, **environment)
    try:
        for _ in range(50):
            sent = finish(start("--connect", address, *flags, **environment))
            if sent[0] == 0 or receiver.poll() is not None:
                break
            time.sleep(0.1)
        return finish(receiver), sent
    finally:
        receiver.kill()


def check(received, sent, last_device):
    assert sent[0] == 0 and "sent 8 tensors" in sent[1], sent
    assert received[0] == 0 and "PASS: 8 tensors placed, 0 messages refused" in received[1], received
    lines = re.findall(r"^pass (\d+): (\d+) bytes for (\S+), which", received[1], re.M)
    assert len(lines) == 8 and lines[-1][2] == last_device, received
    assert received[1].count("16777216 bytes for cuda:1, which are still with the sender") == 2


class Placement(unittest.TestCase):
    def test_payloads_are_placed_over_tcp(self):
        check(*exchange(UCX_TLS="tcp"), "cuda:1")

    def test_payloads_are_placed_over_shared_memory(self):
        check(*exchange("--shared-memory"), "cuda:1")

    def test_nobody_there_is_said(self):
        status, output = finish(start("--connect", f"127.0.0.1:{free_port()}", UCX_TLS="tcp"))
        assert status == 1 and "the peer is gone" in output, (status, output)

    def test_wrong_arguments_are_said(self):
        for arguments, text in (((), "--listen,--connect"), (("--listen", "1"), "has no :PORT"),
                                (("--listen", "h:1", "--messages", "0"), "--messages"),
                                (("--listen", "h:1", "--what"), "--what")):
            status, output = finish(start(*arguments))
            assert status == 2 and text in output, (arguments, status, output)

    def test_the_help_names_each_option(self):
        status, output = finish(start("--help"))
        for option in ("--listen", "--connect", "--messages", "--shared-memory"):
            assert status == 0 and option in output, output


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: example_test.py PATH_TO_ucx_placement")
    PROGRAM = sys.argv.pop()
    unittest.main(verbosity=2)
