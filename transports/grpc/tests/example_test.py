#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs both ends of the gRPC example as users would: example_test.py PATH_TO_grpc_stream."""

import contextlib
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "tests/support"))
from run_tests import run_tests  # noqa: E402

PROGRAM = ""
LONG = "--messages=1000000"


class Process:
    """A program under way, with its output as it comes."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([PROGRAM, *arguments], text=True, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)

    def line(self, pattern):
        """The next line, which must match."""
        line = self.process.stdout.readline()
        found = re.search(pattern, line)
        assert found, f"'{line}' instead of '{pattern}': {line or self.process.stderr.read()}"
        return found

    def end(self, timeout):
        output, errors = self.process.communicate(timeout=timeout)
        return self.process.returncode, output + errors


@contextlib.contextmanager
def running(*arguments):
    started = Process(*arguments)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.communicate()


@contextlib.contextmanager
def serving():
    """A server and its address."""
    with running("--listen", "127.0.0.1:0") as server:
        yield server, server.line(r"^listening on (127\.0\.0\.1:\d+)$")[1]


def run(*arguments):
    result = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=60)
    return result.returncode, result.stdout + result.stderr


def expect(result, status, text):
    assert result[0] == status and text in result[1], result


def one_client_gets_all_gradients():
    with serving() as (server, address):
        expect(run("--connect", address), 0,
               "PASS: 8 passes at once, 128 gradients and 8 weight gradients are right")
        server.line(r"^ipv4:\S+: connected$")
        server.line(r"^ipv4:\S+: done after 136 messages, 0 of them refused$")


def several_clients_share_a_server():
    with serving() as (_, address):
        clients = [Process("--connect", address, f"--worker={worker}", "--messages=500")
                   for worker in (1, 2, 32767)]
        for client in clients:
            expect(client.end(60), 0, "PASS")


def the_largest_messages_pass():
    with serving() as (_, address):
        expect(run("--connect", address, "--floats=4194303", "--passes=2", "--messages=2"), 0,
               "PASS: 2 passes")


def the_smallest_messages_pass():
    with serving() as (_, address):
        expect(run("--connect", address, "--floats=1", "--passes=1", "--messages=1"), 0, "PASS")
        expect(run("--connect", address, "--floats=1", "--passes=1024"), 0, "PASS: 1024 passes")


def a_busy_port_is_named():
    with serving() as (_, address):
        expect(run("--listen", address), 1, f"can't listen on {address}: another program")


def a_server_that_is_not_there_is_named():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % unused.getsockname()[1]
        expect(run("--connect", address), 1, f"can't reach {address} within 5 s")


def a_server_outlives_a_client_that_is_killed():
    with serving() as (server, address):
        with running("--connect", address, LONG) as client:
            client.line("^connected")
            server.line(": connected$")
            time.sleep(0.3)
            client.process.kill()
            server.line(r": LOST after \d+ messages, .*; dropped \d passes that had not ended$")
        expect(run("--connect", address), 0, "PASS")


def a_client_says_that_its_server_is_gone():
    with serving() as (server, address), running("--connect", address, LONG) as client:
        client.line("^connected")
        time.sleep(0.3)
        server.process.kill()
        expect(client.end(10), 1, f"grpc_stream: server {address}, after ")


def a_client_says_that_its_server_hangs():
    with serving() as (server, address), running("--connect", address, LONG) as client:
        client.line("^connected")
        time.sleep(0.3)
        server.process.send_signal(signal.SIGSTOP)
        expect(client.end(30), 1, "answers: it sent nothing for 10 s")


def a_server_ends_when_it_is_told_to():
    for number in (signal.SIGTERM, signal.SIGINT):
        with serving() as (server, address), running("--connect", address, LONG) as client:
            client.line("^connected")
            time.sleep(0.3)
            server.process.send_signal(number)
            expect(server.end(10), 0, "ending")
            expect(client.end(10), 1, "the stream ended")


def help_is_given():
    for option in ("listen", "connect", "passes", "messages", "floats", "worker"):
        expect(run("--help"), 0, f"--{option} ")


def wrong_arguments_are_named_with_what_they_may_be():
    for arguments, named in (
        ([], "either --listen"),
        (["--listen=a:1", "--connect=a:1"], "either --listen"),
        (["--connect"], "--connect takes HOST:PORT"),
        (["--connect=localhost"], "such as 192.0.2.1:5000"),
        (["--connect=:5000"], "not ':5000'"),
        (["--connect=localhost:0"], "1 to 65535, not '0'"),
        (["--listen=localhost:65536"], "0 to 65535, not '65536'"),
        (["--listen=localhost:http"], "not 'http'"),
        (["extra"], "'extra'"),
        (["--passes=0"], "1 to 1024, not '0'"),
        (["--messages", "1000001"], "1 to 1000000"),
        (["--floats=4194304"], "1 to 4194303"),
        (["--worker=0"], "1 to 32767"),
        (["--connect=a:1", "--floats=4194303", "--passes=5"], "at most 16777216"),
    ):
        result = run(*arguments)
        expect(result, 2, named)
        expect(result, 2, "--help")


TESTS = (
    one_client_gets_all_gradients,
    several_clients_share_a_server,
    the_largest_messages_pass,
    the_smallest_messages_pass,
    a_busy_port_is_named,
    a_server_that_is_not_there_is_named,
    a_server_outlives_a_client_that_is_killed,
    a_client_says_that_its_server_is_gone,
    a_client_says_that_its_server_hangs,
    a_server_ends_when_it_is_told_to,
    help_is_given,
    wrong_arguments_are_named_with_what_they_may_be,
)


def main():
    global PROGRAM
    if len(sys.argv) != 2:
        sys.exit("usage: example_test.py PATH_TO_grpc_stream")
    PROGRAM = sys.argv[1]
    return run_tests(TESTS, at_once=4)  # most of them only wait


if __name__ == "__main__":
    sys.exit(main())
