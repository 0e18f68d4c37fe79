#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the benchmarks of a build folder and prints what they measured. Called by tools/bench."""
import argparse
import collections
import pathlib
import sys

sys.dont_write_bytecode = True

from report import (charts, check, end_to_end, extras, goals, measure, readme,  # noqa: E402
                    store, table)
from report.results import Results  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Rounds, repetitions of each row in a round, seconds of each repetition.
Effort = collections.namedtuple("Effort", "rounds repetitions seconds")
QUICK, FULL = Effort(2, 3, 0.02), Effort(7, 5, 0.04)


def parse_arguments():
    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, help="the build folder")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rows", metavar="REGEX")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--save", action="store_true")
    mode.add_argument("--check", action="store_true")
    mode.add_argument("--draw", action="store_true")
    arguments = parser.parse_args()
    if arguments.save and arguments.rows:
        parser.error("--save takes all rows")
    return arguments


def draw():
    """Charts and the README's section, of the stored run."""
    stored = store.load(ROOT)
    charts.draw(ROOT, *stored[:2])
    readme.write(ROOT, *stored)


def measure_all(arguments):
    results = Results()
    effort = QUICK if arguments.quick else FULL
    measure.measure_rows(results, arguments.build, effort, arguments.rows or ".")
    if not arguments.rows:
        extras.measure_extras(results, arguments.build, ROOT)
        end_to_end.measure_end_to_end(results, arguments.build,
                                      2000 if arguments.quick else end_to_end.REQUESTS)
    judged = goals.judge(results)
    table.print_rows(results)
    table.print_goals(judged, with_unmeasured=not arguments.rows)
    table.print_end_to_end(results)
    if arguments.save:
        about = store.describe(arguments.build, ROOT, "tools/bench --save")
        store.save(ROOT, about, results, judged)
        draw()


def main():
    arguments = parse_arguments()
    if arguments.draw:
        draw()
    elif arguments.check:
        return check.check(ROOT, arguments.build, Effort(3, 5, 0.03),
                           lambda results: extras.measure_size(results, arguments.build))
    else:
        measure_all(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
