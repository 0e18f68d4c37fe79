#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the libtorch example as a user would: example_test.py PATH_TO_torch_two_workers."""

import ctypes
import os
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
DEATH_NOTICE_S = 5
HANG_NOTICE_S = 15


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=60)


def expect(condition, result):
    assert condition, f"exit status {result.returncode}\n{result.stdout}{result.stderr}"


def expect_trained(result):
    expect(result.returncode == 0, result)
    difference = float(re.search(r"gradient difference +([0-9.e+-]+)", result.stdout)[1])
    expect(difference < 1e-5, result)
    first, last = re.search(r"loss +([0-9.]+), then ([0-9.]+)", result.stdout).groups()
    expect(float(last) < float(first), result)
    expect(result.stdout.splitlines()[-1].startswith("PASS"), result)
    expect(not result.stderr, result)


def a_default_run_trains_and_its_gradients_agree():
    result = run()
    expect_trained(result)
    expect("100, of 1000 passes together" in result.stdout, result)


def any_number_in_flight_trains():
    for in_flight in ("2", "37", "150"):
        expect_trained(run("--steps=20", "--in-flight", in_flight, "--seed", in_flight))


def die_with_this_test():
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL, 0, 0, 0)


def start(*arguments):
    return subprocess.Popen([PROGRAM, *arguments], text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, preexec_fn=die_with_this_test)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def two_programs_meet_by_the_address_on_their_command_lines():
    master = f"127.0.0.1:{free_port()}"
    worker1 = start("--rank=1", "--master", master)
    worker0 = run("--rank=0", "--master", master, "--interface=lo", "--steps=10")
    output, errors = worker1.communicate(timeout=30)
    expect_trained(worker0)
    assert worker1.returncode == 0 and not errors, (worker1.returncode, output, errors)


def a_busy_port_is_named():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        result = run("--rank=0", "--master", f"127.0.0.1:{port}")
    expect(result.returncode == 1 and f"port {port}, is the port free?" in result.stderr, result)


def help_is_given():
    result = run("--help")
    expect(result.returncode == 0, result)
    for option in ("rank", "master", "interface", "steps", "in-flight", "seed", "data"):
        expect(f"--{option}" in result.stdout, result)


def wrong_arguments_are_named_with_what_they_may_be():
    for arguments, named in (
        (["--rang", "1"], "'--rang'"),
        (["--rank", "2"], "0 to 1, not '2'"),
        (["--rank", "0"], "needs --master"),
        (["--master", "h:1"], "need --rank"),
        (["--rank=0", "--master=h"], "such as 10.0.0.1:29500, not 'h'"),
        (["--rank=0", "--master=h:0"], "1 to 65535, not '0'"),
        (["--rank=0", "--master=127.0.0.1:1", "--interface=none"], "no network interface 'none'"),
        (["--steps"], "--steps needs a value"),
        (["--steps", "1"], "2 to 1000000, not '1'"),
        (["--in-flight=151"], "2 to 150, not '151'"),
    ):
        result = run(*arguments)
        expect(result.returncode == 2, result)
        expect(named in result.stderr and "--help" in result.stderr, result)


def unusable_data_are_named():
    result = run("--data=/dev/null")
    expect(result.returncode == 1 and "/dev/null has no data" in result.stderr, result)


def start_long_run():
    program = start("--steps=1000000")
    first_line = program.stdout.readline()
    workers = [int(found) for found in re.findall(r"process (\d+)", first_line)]
    assert len(workers) == 2, first_line
    assert "step 1 " in program.stdout.readline()
    return program, workers


def worker_0_reports_that_worker_1(ended_by, notice, limit_s):
    program, workers = start_long_run()
    os.kill(workers[1], ended_by)
    began = time.monotonic()
    try:
        _, errors = program.communicate(timeout=60)
    finally:
        program.kill()
    assert time.monotonic() - began < limit_s
    assert program.returncode == 1 and notice in errors, (program.returncode, errors)
    assert not pathlib.Path("/proc", str(workers[1])).exists(), "worker 1 is left behind"


def worker_0_reports_the_death_of_worker_1():
    worker_0_reports_that_worker_1(signal.SIGKILL, "worker 0: worker 1 is gone", DEATH_NOTICE_S)


def worker_0_reports_that_worker_1_hangs():
    worker_0_reports_that_worker_1(signal.SIGSTOP, "RPC ran for more than set timeout",
                                   HANG_NOTICE_S)


def worker_1_reports_the_death_of_worker_0():
    program, workers = start_long_run()
    program.kill()
    began = time.monotonic()
    _, errors = program.communicate(timeout=60)
    _, status = os.waitpid(workers[1], 0)
    assert time.monotonic() - began < DEATH_NOTICE_S
    assert os.waitstatus_to_exitcode(status) == 1, status
    assert "worker 1: worker 0 is gone" in errors, errors


TESTS = (
    a_default_run_trains_and_its_gradients_agree,
    any_number_in_flight_trains,
    two_programs_meet_by_the_address_on_their_command_lines,
    a_busy_port_is_named,
    help_is_given,
    wrong_arguments_are_named_with_what_they_may_be,
    unusable_data_are_named,
    worker_0_reports_the_death_of_worker_1,
    worker_0_reports_that_worker_1_hangs,
    worker_1_reports_the_death_of_worker_0,
)


def main():
    global PROGRAM
    if len(sys.argv) != 2:
        sys.exit("usage: example_test.py PATH_TO_torch_two_workers")
    PROGRAM = sys.argv[1]
    pr_set_child_subreaper = 36
    ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0)  # orphans become children of ours
    return run_tests(TESTS)


if __name__ == "__main__":
    sys.exit(main())
