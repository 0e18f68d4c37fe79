#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the demo as a user would: demo_test.py PATH_TO_two_workers."""

import ctypes
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from run_tests import run_tests  # noqa: E402

DEMO = ""
MAGIC = bytes.fromhex("47544CA7")
DEATH_NOTICE_S = 5


def run(*arguments):
    return subprocess.run([DEMO, *arguments], capture_output=True, text=True, timeout=60)


def number(name, result):
    """The number in a line of the summary."""
    found = re.search(rf"^  {name} +([0-9.e+-]+)", result.stdout, re.MULTILINE)
    assert found, f"no line '{name}' in:\n{result.stdout}{result.stderr}"
    return float(found[1])


def expect(condition, result):
    assert condition, f"exit status {result.returncode}\n{result.stdout}{result.stderr}"


def a_default_run_passes_and_says_all_that_it_must():
    result = run()
    expect(result.returncode == 0, result)
    expect(number("training accuracy", result) > 95, result)
    expect(number("largest gradient difference", result) < 1e-9, result)
    expect(number("steps compared", result) == 200, result)
    expect(number("messages sent", result) > 200 * (2 * 8 + 1), result)
    expect(number("bytes sent", result) > 0, result)
    expect(32 <= number("trailer bytes per message", result) <= 64, result)
    expect(number("messages rejected", result) == 1, result)
    expect(result.stdout.count("epoch") == 10, result)
    expect(result.stdout.splitlines()[-1].startswith("PASS"), result)


def without_a_fault_nothing_is_rejected():
    result = run("--fault", "none")
    expect(result.returncode == 0, result)
    expect(number("messages rejected", result) == 0, result)


def a_damaged_message_is_named_dropped_and_sent_again():
    result = run("--fault=damage")
    expect(result.returncode == 0, result)
    expect(number("messages rejected", result) == 1, result)
    refusal = r"^worker 0: frame 5 from worker 1 refused: \w+ at byte \d+: .*asked for again$"
    expect(len(re.findall(refusal, result.stdout, re.MULTILINE)) == 1, result)


def damage_to_any_message_of_a_run_is_repaired():
    # With one step of 8 passes, both workers send 10 messages: the last ones end the training.
    for worker in "01":
        for frame in range(10):
            result = run("--epochs=1", "--in-flight=8", f"--fault=damage:{worker}:{frame}",
                         f"--seed={frame}")
            expect(number("messages rejected", result) == 1, result)
            expect(number("largest gradient difference", result) < 1e-9, result)


def damage_in_the_middle_of_training_is_repaired():
    result = run("--fault=damage:0:1234", "--fault=damage:1:777")
    expect(result.returncode == 0, result)
    expect(number("messages rejected", result) == 2, result)


def damage_to_a_request_to_resend_is_repaired():
    # The fourth frame is damaged; frame 8 of the other worker is the request to send it again.
    result = run("--epochs=1", "--in-flight=8", "--fault=damage:1:3", "--fault=damage:0:8")
    expect(number("messages rejected", result) == 2, result)
    expect(number("largest gradient difference", result) < 1e-9, result)
    expect("frame 8 from worker 0 refused" in result.stdout, result)


def swapped_ids_are_found_by_the_gradient_check_alone():
    for seed in "123":
        result = run("--fault", "swap", "--seed", seed)
        expect(result.returncode == 1, result)
        expect(number("messages rejected", result) == 0, result)
        expect(number("largest gradient difference", result) > 1e-9, result)
        expect(number("training accuracy", result) > 95, result)
        expect("NOT MET" in result.stdout and "FAIL: the gradients" in result.stdout, result)


def any_number_in_flight_trains():
    for in_flight in ("8", "37", "150"):
        result = run("--in-flight", in_flight, "--seed", in_flight)
        expect(result.returncode == 0, result)


def answers_come_in_another_order_than_the_passes():
    result = run("--verbose", "--epochs=1", "--fault=none", "--in-flight=20")
    pattern = r"worker {} frame \d+, {}, .*message_id: (\d+)"
    asked = re.findall(pattern.format("0 sent", "activations"), result.stdout)
    answered = re.findall(pattern.format("0 received", "gradients"), result.stdout)
    expect(len(asked) == 20 and asked != answered, result)
    expect(sorted(asked) == sorted(answered), result)


def help_is_given():
    result = run("--help")
    expect(result.returncode == 0, result)
    for option in ("epochs", "in-flight", "seed", "fault", "verbose", "dump", "data"):
        expect(f"--{option}" in result.stdout, result)


def wrong_arguments_are_named_with_what_they_may_be():
    for arguments, named in (
        (["--epoch", "3"], "'--epoch'"),
        (["extra"], "'extra'"),
        (["--epochs"], "--epochs needs a value"),
        (["--epochs", "0"], "1 to 10000000, not '0'"),
        (["--epochs", "3x"], "not '3x'"),
        (["--in-flight=7"], "8 to 150, not '7'"),
        (["--seed", "-1"], "not '-1'"),
        (["--fault", "all"], "none, damage, damage:W:N or swap, not 'all'"),
        (["--fault", "damage:1"], "such as damage:1:5"),
        (["--fault", "damage:2:1"], "0 to 1, not '2'"),
    ):
        result = run(*arguments)
        expect(result.returncode == 2, result)
        expect(named in result.stderr and "--help" in result.stderr, result)


def unusable_data_are_named():
    with tempfile.TemporaryDirectory() as folder:
        data = pathlib.Path(folder, "data.csv")
        header = "sepal_length,sepal_width,petal_length,petal_width,species\n"
        for text, named in (
            (None, "can't open"),
            ("", "no data"),
            ("a,b\n", ":1: "),
            (header + "1,2,3,4,setosa\n1,2,x,4,setosa\n", ":3: 'x' is not a number"),
            (header + "1,2,3,4,rose\n", ":2: 'rose' is none of"),
            (header + "1,2,3,4,setosa\n", "only 1 rows"),
        ):
            if text is not None:
                data.write_text(text)
            result = run("--data", str(data))
            expect(result.returncode == 1 and named in result.stderr, result)


def every_received_message_is_dumped():
    for fault in ("none", "damage"):
        with tempfile.TemporaryDirectory() as folder:
            dump = pathlib.Path(folder, "made", "here")
            result = run("--epochs=3", f"--fault={fault}", "--dump", str(dump))
            files = list(dump.iterdir())
            expect(len(files) == number("messages sent", result), result)
            # The damaged one has its magic still: the default seed's bit is elsewhere.
            expect(all(file.read_bytes().endswith(MAGIC) for file in files), result)


def a_dump_that_cannot_be_written_is_an_error():
    result = run("--dump", "/dev/null/folder")
    expect(result.returncode == 1 and "/dev/null/folder" in result.stderr, result)


def start_long_run():
    demo = subprocess.Popen([DEMO, "--epochs=10000000"], text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)
    first_line = demo.stdout.readline()
    workers = [int(found) for found in re.findall(r"process (\d+)", first_line)]
    assert len(workers) == 2, first_line
    time.sleep(0.2)
    return demo, workers


def worker_0_reports_that_worker_1(ended_by, notice):
    demo, workers = start_long_run()
    os.kill(workers[1], ended_by)
    start = time.monotonic()
    try:
        _, errors = demo.communicate(timeout=60)
    finally:
        demo.kill()
    assert time.monotonic() - start < DEATH_NOTICE_S
    assert demo.returncode == 1 and notice in errors, (demo.returncode, errors)


def worker_0_reports_the_death_of_worker_1():
    worker_0_reports_that_worker_1(signal.SIGKILL, "worker 0: worker 1 is gone")


def worker_0_reports_that_worker_1_hangs():
    worker_0_reports_that_worker_1(signal.SIGSTOP, "worker 0: worker 1 sent nothing")


def worker_1_reports_the_death_of_worker_0():
    pr_set_child_subreaper = 36
    ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0)  # worker 1 becomes a child of ours
    demo, workers = start_long_run()
    demo.kill()
    start = time.monotonic()
    _, errors = demo.communicate(timeout=60)
    _, status = os.waitpid(workers[1], 0)
    assert time.monotonic() - start < DEATH_NOTICE_S
    assert os.waitstatus_to_exitcode(status) == 1, status
    assert "worker 1: worker 0 is gone" in errors, errors


TESTS = (
    a_default_run_passes_and_says_all_that_it_must,
    without_a_fault_nothing_is_rejected,
    a_damaged_message_is_named_dropped_and_sent_again,
    damage_to_any_message_of_a_run_is_repaired,
    damage_in_the_middle_of_training_is_repaired,
    damage_to_a_request_to_resend_is_repaired,
    swapped_ids_are_found_by_the_gradient_check_alone,
    any_number_in_flight_trains,
    answers_come_in_another_order_than_the_passes,
    help_is_given,
    wrong_arguments_are_named_with_what_they_may_be,
    unusable_data_are_named,
    every_received_message_is_dumped,
    a_dump_that_cannot_be_written_is_an_error,
    worker_0_reports_the_death_of_worker_1,
    worker_0_reports_that_worker_1_hangs,
    worker_1_reports_the_death_of_worker_0,
)


def main():
    global DEMO
    if len(sys.argv) != 2:
        sys.exit("usage: demo_test.py PATH_TO_two_workers")
    DEMO = sys.argv[1]
    return run_tests(TESTS)


if __name__ == "__main__":
    sys.exit(main())
