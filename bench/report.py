#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures gradtail and its peers, prints tables of times and goals, and can store them.

Takes about six minutes, four of them only where libtorch-dev is installed: its requests between two
processes. Prints medians of CPU time, the loop included, with half the distance between the
quartiles; ratios are medians of the rounds' ratios.
"""
import argparse
import collections
import datetime
import importlib.util
import json
import os
import pathlib
import platform
import re
import shutil
import statistics
import sys

sys.dont_write_bytecode = True

import measure  # noqa: E402: no bytecode of these, either
import pages  # noqa: E402
import rounds  # noqa: E402
from measure import PORTABLE, ROOT, run, say  # noqa: E402

BUILD, PORTABLE_BUILD = ROOT / "build/bench", ROOT / "build/bench-portable"
Effort = collections.namedtuple("Effort", "rounds repetitions seconds requests")
FULL, QUICK = Effort(7, 5, 0.04, 50_000), Effort(2, 3, 0.02, 2000)

# What, row, base row, and the bound of their ratio: above 0 the most, below 0 the least allowed.
WRITE, READ = "write/write_trailer", "read/open"
RATIOS = [
    ("write_trailer against the floor", WRITE, "write/floor", 2),
    ("Trailer against the floor", "write/Trailer", "write/floor", 2),
    ("append against the floor's append", "write/append", "write/floor, append", 1.2),
    ("open against the floor", READ, "read/floor", 2.2),
    ("open, misaligned against aligned", READ + ", misaligned", READ, 1.2),
    ("open, 2 segments against 1", READ + ", 2 segments", READ, 1.5),
    ("write_trailer, 8 pairs against none", WRITE + ", 8 pairs", WRITE, 4),
    ("open, 8 pairs against none", READ + ", 8 pairs", READ, 4),
    ("write_trailer, portable CRC against the instruction", WRITE + PORTABLE, WRITE, 3),
    ("open, portable CRC against the instruction", READ + PORTABLE, READ, 3),
    ("FlatBufferBuilder against write_trailer", "write/FlatBufferBuilder, reused", WRITE, -8),
    ("FlatBuffers Verifier against open", "read/FlatBuffers Verifier", READ, -2),
    ("Protobuf against write_trailer", "write/Protobuf", WRITE, -4),
    ("Protobuf against open", "read/Protobuf", READ, -4),
]
# Rows of gradtail that must not allocate.
ALLOCATION_FREE = re.compile(r"(write/(write_trailer|Trailer|append$)|read/(open|strip)|reject/)")


class Rows:
    """What was measured: {row: {"rounds": [[ns, ...], ...], counter: value, ...}}.

    Within a round all rows run in random order, so that what disturbs the machine for longer
    disturbs all of them. That is why ratios are taken round by round.
    """

    def __init__(self):
        self.rows = {}

    def add(self, found):
        for name, row in found.items():
            times = row.pop("times")
            self.rows.setdefault(name, {"rounds": []}).update(row)
            self.rows[name]["rounds"].append(times)

    def median(self, name):
        return statistics.median(sum(self.rows[name]["rounds"], []))

    def spread(self, name):
        low, median, high = statistics.quantiles(sum(self.rows[name]["rounds"], []), n=4)
        return (high - low) / 2 / median

    def ratio(self, name, base):
        """How many times as long as `base` a row takes; None if either wasn't measured."""
        if name not in self.rows or base not in self.rows:
            return None
        pairs = zip(self.rows[name]["rounds"], self.rows[base]["rounds"])
        return statistics.median(statistics.median(a) / statistics.median(b) for a, b in pairs)

    def by_time(self, prefix):
        return sorted((name for name in self.rows if name.startswith(prefix)), key=self.median)

    def summary(self, name):
        row = self.rows[name]
        line = {"ns": self.median(name), "spread": self.spread(name)}
        if name != "loop":
            floor = self.ratio(name, "write/floor" if name.startswith("write/") else "read/floor")
            line.update({"x floor": floor} if floor else {})
        line.update({key: value for key, value in row.items() if key != "rounds"})
        return {key: float(f"{value:.4g}") if isinstance(value, float) else value
                for key, value in line.items()}


def goals(rows, text_size):
    """[what, measured, bound, unit] of each goal that was measured."""
    found = [[what, rows.ratio(row, base), bound, "x"] for what, row, base, bound in RATIOS]
    for name in rows.by_time("reject/")[-1:]:
        found.append(["slowest refusal", rows.median(name), 1000, "ns"])
    allocations = [row["allocations"] for name, row in rows.rows.items()
                   if ALLOCATION_FREE.match(name)]
    found += [["most allocations of a row without growth", max(allocations, default=None), 0, ""],
              ["text of the stripped library", text_size / 1024, 40, "KiB"]]
    return [[what, float(f"{value:.4g}"), bound, unit] for what, value, bound, unit in found
            if value is not None]


def describe():
    commands = json.loads((BUILD / "compile_commands.json").read_text())
    words = next(each for each in commands if each["file"].endswith("src/write.cpp"))["command"]
    flags = [word for word in words.split()[1:]
             if re.match(r"-(std|O|g|f(?!diagnostics)|m|DNDEBUG|Dflatbuffers)", word)]
    system = re.search(r'^PRETTY_NAME="(.*)"$', pathlib.Path("/etc/os-release").read_text(), re.M)
    return {"machine": f"{measure.cpu()}, {len(os.sched_getaffinity(0))} cores",
            "system": system[1] if system else platform.system(),
            "compiler": run("g++", "--version").splitlines()[0], "flags": " ".join(flags),
            "commit": measure.commit(), "date": datetime.date.today().isoformat(),
            "command": " ".join(["tools/bench", *sys.argv[1:]])}


def measure_rows(effort, pattern):
    rows = Rows()
    programs = [BUILD / "bench" / name for name in ("rows", "pytorch")]
    for count in range(effort.rounds):
        say(f"measuring, round {count + 1} of {effort.rounds}")
        for program in filter(pathlib.Path.exists, programs):
            rows.add(measure.times(program, pattern, effort.seconds, effort.repetitions))
        if pattern == ".":
            rows.add({name + PORTABLE: row for name, row in measure.times(
                programs[0], f"^({WRITE}|{READ})$", effort.seconds, effort.repetitions,
                PORTABLE_BUILD / "src").items()})
    order = measure.names(programs[0])
    rows.rows = dict(sorted(rows.rows.items(), key=lambda item: (
        order.index(item[0]) if item[0] in order else len(order), item[0])))
    return rows


def measure_all(effort, pattern):
    rows = measure_rows(effort, pattern)
    if shutil.which("valgrind"):
        say("counting instructions")
        for name, count in measure.instructions(BUILD / "bench/rows").items():
            if name in rows.rows:
                rows.rows[name]["instructions"] = round(count)
    result = {"about": describe(), "end_to_end": [],
              "goals": goals(rows, measure.text_size(BUILD / "src")),
              "rows": {name: rows.summary(name) for name in rows.rows}}
    print(pages.row_table(result), pages.goal_table(result), sep="\n\n")
    program = BUILD / "bench/end_to_end"
    if pattern != ".":
        return result
    if program.exists():
        say(f"sending {effort.requests} requests of each kind between two processes")
        result["end_to_end"] = rounds.evaluate(run(program, effort.requests, progress=True,
                                                   env={"GLOG_minloglevel": "2"}))
        print("", pages.end_to_end_table(result), sep="\n")
    else:
        say("no requests between two processes: they need libtorch-dev")
    return result


def main():
    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a first look in about a minute")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--rows", default=".", metavar="REGEX", help="only the rows that it finds")
    mode.add_argument("--save", action="store_true",
                      help="store the result in bench/results, with charts, and put it into "
                           "docs/benchmarks.md and README.md; needs python3-matplotlib")
    mode.add_argument("--draw", action="store_true",
                      help="only make the charts and tables again, from the stored result")
    arguments = parser.parse_args()
    if (arguments.save or arguments.draw) and not importlib.util.find_spec("matplotlib"):
        parser.error("this needs matplotlib: install Debian's python3-matplotlib")
    if arguments.draw:
        result = json.loads(pages.RESULT.read_text())
    else:
        result = measure_all(QUICK if arguments.quick else FULL, arguments.rows)
    if arguments.save:
        pages.store(result)
    if arguments.save or arguments.draw:
        pages.draw(result)
        pages.write(result)


if __name__ == "__main__":
    main()
