#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Merges the gcov counts of a build folder into one file for `gcovr --add-tracefile`.

gcovr 5.2 reads gcov's text, which leaves out the branches of most templates that have more than one
instance. gcov's JSON has them all: here, a branch is taken if any instance takes it. Branches that
are only taken by exceptions don't count, nor do those of lines marked GCOVR_EXCL_BR_LINE.
Lines marked GCOVR_EXCL_LINE are left out.
"""
import argparse
import collections
import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
MEASURED = (ROOT / "src", ROOT / "include")


def counted(build):
    """Yields (file, line), with the line as in gcov's JSON, once per function that contains it."""
    counts = [path.resolve() for path in sorted(build.rglob("*.gcda"))]
    gcov = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities", *counts],
                          check=True, stdout=subprocess.PIPE)
    for unit in map(json.loads, gcov.stdout.splitlines()):
        for file in unit["files"]:
            path = pathlib.Path(os.path.normpath(
                pathlib.Path(unit["current_working_directory"], file["file"])))
            if any(folder in path.parents for folder in MEASURED):
                yield from ((path, line) for line in file["lines"])


def decisions(branches):
    """The branches without those of exceptions: whether a call returns isn't a decision."""
    throws = [branch["throw"] for branch in branches] + [False]
    return [branch for i, branch in enumerate(branches) if not throws[i] and not throws[i + 1]]


class Line:
    def __init__(self):
        self.count = 0
        # For each number of branches that the line has in an instance: how often each was taken.
        self.taken = collections.defaultdict(collections.Counter)

    def add(self, line):
        self.count += line["count"]
        branches = decisions(line["branches"])
        for i, branch in enumerate(branches):
            self.taken[len(branches)][i] += branch["count"]

    def trace(self, number, excluded):
        branches = [] if excluded else [
            {"count": count, "fallthrough": False, "throw": False}
            for _, taken in sorted(self.taken.items()) for _, count in sorted(taken.items())]
        return {"line_number": number, "count": self.count, "branches": branches,
                "gcovr/noncode": False, "gcovr/excluded": False}


def merged(build):
    files = collections.defaultdict(lambda: collections.defaultdict(Line))
    for path, line in counted(build):
        files[path][line["line_number"]].add(line)
    return files


def trace_of(path, lines):
    source = path.read_text().splitlines()
    return {"file": str(path.relative_to(ROOT)),
            "lines": [line.trace(number, "GCOVR_EXCL_BR_LINE" in source[number - 1])
                      for number, line in sorted(lines.items())
                      if source[number - 1].strip() not in ("}", "};")
                      and "GCOVR_EXCL_LINE" not in source[number - 1]],
            "functions": []}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path, help="build folder in which the tests have run")
    parser.add_argument("trace", type=pathlib.Path, help="file to write")
    arguments = parser.parse_args()
    files = [trace_of(*item) for item in sorted(merged(arguments.build).items())]
    arguments.trace.write_text(json.dumps({"gcovr/format_version": "0.3", "files": files}))


if __name__ == "__main__":
    main()
