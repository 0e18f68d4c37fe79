#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the benchmarks of a build folder and prints what they measured. Called by tools/bench."""
import argparse
import collections
import pathlib
import sys

sys.dont_write_bytecode = True

from report import extras, goals, measure, table  # noqa: E402
from report.results import Results  # noqa: E402

# Rounds, repetitions of each row in a round, seconds of each repetition.
Effort = collections.namedtuple("Effort", "rounds repetitions seconds")
ROOT = pathlib.Path(__file__).resolve().parent.parent
EFFORTS = {"quick": Effort(2, 3, 0.02), "full": Effort(7, 5, 0.04)}


def parse_arguments():
    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rows", default=".")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    effort = EFFORTS["quick" if arguments.quick else "full"]
    results = Results()
    measure.measure_rows(results, arguments.build, effort, arguments.rows)
    if arguments.rows == ".":
        extras.measure_extras(results, arguments.build, ROOT)
    table.print_rows(results)
    table.print_goals(goals.judge(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
