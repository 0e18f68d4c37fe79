#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares gradtail's speed and size with those of another commit. Called by tools/bench-compare.

Builds the library of both commits, and this tree's row programs against each. Runs them in turns
and prints each row's smallest CPU time and, where valgrind is installed, its instructions as
counted by callgrind. Both are of one iteration, loop included. Rows that end in "portable CRC" run
on a library that finds no CRC instruction. Fails if one of gradtail's rows takes more than 1.25
times as long.
"""
import argparse
import math
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True

import measure  # noqa: E402: no bytecode of it, either
from measure import PORTABLE, ROOT, git, run, say  # noqa: E402

BENCH, WORK = ROOT / "bench", ROOT / "build/bench-compare"
SHARED = ["main", "job", "floor", "floor_rows", "footer"]
ROWS = ["gradtail", "gradtail_trailer", "gradtail_reject"]
PORTABLE_ROWS = r"^(write/write_trailer|read/open|reject/checksum.*)$"
FLOOR = re.compile("loop|(read|write)/(struct|floor)")  # rows that don't use the library
WORSE = 1.25  # times as long fails
COMPILE = ["g++", "-std=c++20", "-O2", "-DNDEBUG", "-c"]


def check_out(commit):
    """The commit's tree, in a Git worktree that is removed and made again."""
    tree = WORK / "base-tree"
    git("worktree", "prune")
    if tree.exists():
        git("worktree", "remove", "--force", tree)
    git("worktree", "add", "--detach", tree, commit)
    return tree


def build_library(tree, folder, *flags):
    if not (folder / "build.ninja").exists():
        shutil.rmtree(folder, ignore_errors=True)
        run("meson", "setup", folder, tree, "-Dtests=disabled", "-Dexamples=disabled",
            "-Dpytorch=disabled", f"-Dcpp_args={' '.join(flags)}",
            env={"CXX": "g++"})
    run("ninja", "-C", folder)
    return folder / "src"


def compiles(source, tree, target):
    command = [*COMPILE, "-I", tree / "include", "-o", target, BENCH / f"{source}.cpp"]
    return subprocess.run(command, capture_output=True).returncode == 0


class Side:
    """One of the two commits: its libraries and its program with the rows."""

    def __init__(self, name, tree):
        self.name, self.tree = name, tree
        say(f"building {name}")
        self.library = build_library(tree, WORK / name)
        self.portable = build_library(tree, WORK / f"{name}-portable", f"-I{BENCH / 'portable'}")
        self.program = WORK / f"{name}-rows"
        self.times, self.instructions = {}, {}
        objects = []
        for source in SHARED + ROWS:
            target = WORK / f"{name}-{source}.o"
            if compiles(source, tree, target):
                objects.append(target)
            elif source in ROWS:
                say(f"{name}: without the rows of {source}.cpp, which doesn't compile against it")
            else:
                sys.exit(f"{source}.cpp doesn't compile")
        run("g++", *objects, "-o", self.program, "-L", self.library, "-lgradtail", "-lbenchmark",
            "-pthread")

    def measure(self, pattern):
        for library, wanted, suffix in [(self.library, pattern, ""),
                                        (self.portable, PORTABLE_ROWS, PORTABLE)]:
            if suffix and pattern != ".":
                continue
            for name, row in measure.times(self.program, wanted, 0.01, 3, library).items():
                best = min(row["times"])
                name += suffix
                self.times[name] = min(best, self.times.get(name, best))

    def count_instructions(self):
        say(f"counting instructions of {self.name}")
        self.instructions = measure.instructions(self.program, self.library)
        portable = measure.instructions(self.program, self.portable)
        if portable["read/open"] == self.instructions["read/open"]:
            say(f"{self.name}: its detection of the CRC instruction gets around bench/portable")
        self.instructions.update({name + PORTABLE: count for name, count in portable.items()})


def cells(base, new, form):
    ratio = f"{new / base:.2f}" if base and new else ""
    return [format(value, form) if value is not None else "" for value in (base, new)] + [ratio]


def result_table(base, new, names):
    lines = [[name, *cells(base.times.get(name), new.times[name], ".2f"),
              *cells(base.instructions.get(name), new.instructions.get(name), ".1f")]
             for name in names]
    lines.append(["text of the stripped library, bytes",
                  *cells(measure.text_size(base.library), measure.text_size(new.library), "d"),
                  "", "", ""])
    head = ["row", "base ns", "new ns", "ratio", "base instr.", "new instr.", "ratio"]
    return measure.table(head, lines, ("row",))


def main():
    parser = argparse.ArgumentParser(prog="tools/bench-compare", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", metavar="BASE_COMMIT", nargs="?", default="HEAD",
                        help="the commit to compare this tree with (default: HEAD)")
    parser.add_argument("--rounds", type=int, default=10, metavar="N",
                        help="how often both take their turn (default: 10, some 3 minutes)")
    parser.add_argument("--rows", default=".", metavar="REGEX", help="only the rows that it finds")
    arguments = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    sides = [Side("base", check_out(arguments.base)), Side("new", ROOT)]
    for count in range(arguments.rounds):
        say(f"measuring, round {count + 1} of {arguments.rounds}")
        for side in sides if count % 2 == 0 else reversed(sides):
            side.measure(arguments.rows)
    if shutil.which("valgrind"):
        for side in sides:
            side.count_instructions()
    base, new = sides
    rows = measure.names(new.program, new.library)
    names = [name for name in rows + [row + PORTABLE for row in rows] if name in new.times]
    print(result_table(base, new, names))
    slower = [name for name in names if not FLOOR.match(name)
              and new.times[name] > WORSE * base.times.get(name, math.inf)]
    if slower:
        sys.exit(f"more than {WORSE} times as slow: {'; '.join(slower)}")


if __name__ == "__main__":
    main()
