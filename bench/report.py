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
import textwrap

sys.dont_write_bytecode = True

import measure  # noqa: E402: no bytecode of it, either
from measure import run, say  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench/results"
Effort = collections.namedtuple("Effort", "rounds repetitions seconds requests")
FULL, QUICK, CHECK = Effort(7, 5, 0.04, 50_000), Effort(2, 3, 0.02, 2000), Effort(3, 5, 0.03, 0)
PORTABLE, PORTABLE_ROWS = ", portable CRC", "^(write/write_trailer|read/open)$"
WORSE, TRIES = 1.25, 3  # --check fails if a row is that much slower in each try

# Name, row that writes, row that reads, what its reader doesn't check. The tables of the last five
# but PyTorch have gradtail's footer around them, so their length, version and checksum are checked.
PEERS = [
    ("struct, unchecked", "write/struct", "read/struct", "anything"),
    ("floor", "write/floor", "read/floor", "ranges; has one set of fields, one layout"),
    ("gradtail", "write/write_trailer", "read/open", ""),
    ("msgpack", "write/msgpack", "read/msgpack", "ranges, elements after the fourth"),
    ("Protobuf", "write/Protobuf", "read/Protobuf", "ranges, that all fields are there"),
    ("FlatBuffers by hand", "write/FlatBufferBuilder, reused", "read/FlatBuffers Verifier", "ranges"),
    ("Cap'n Proto", "write/Cap'n Proto", "read/Cap'n Proto", "ranges, bytes behind the table"),
    ("PyTorch", "write/PyTorch", "read/PyTorch",
     "damage (no magic, version or checksum), ranges; copies the payload"),
]
# Rows of gradtail that must not allocate.
ALLOCATION_FREE = re.compile(r"(write/(write_trailer|Trailer|append$)|read/(open|strip)|reject/)")
VARIANTS = ["no metadata", "64 zeros", "gradtail", "pickled tuple"]  # as end_to_end prints them


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
        if not name.startswith(("payload/", "loop")):
            floor = self.ratio(name, "write/floor" if name.startswith("write/") else "read/floor")
            line.update({"x floor": floor} if floor else {})
        line.update({key: value for key, value in row.items() if key != "rounds"})
        return {key: float(f"{value:.4g}") if isinstance(value, float) else value
                for key, value in line.items()}


def goals(rows, text_size):
    """(what, measured, bound, unit); a bound above 0 is the most, below 0 the least that is allowed."""
    def flat(prefix):
        found = rows.by_time(prefix)
        return rows.ratio(found[-1], found[0]) if found else None

    allocations = [row["allocations"] for name, row in rows.rows.items()
                   if ALLOCATION_FREE.match(name)]
    slowest = rows.by_time("reject/")[-1:]
    write, read, ratio = "write/write_trailer", "read/open", rows.ratio
    found = [
        ("write_trailer against the floor", ratio(write, "write/floor"), 2, "x"),
        ("Trailer against the floor", ratio("write/Trailer", "write/floor"), 2, "x"),
        ("append against the floor's append", ratio("write/append", "write/floor, append"), 1.2, "x"),
        ("open against the floor", ratio(read, "read/floor"), 2.2, "x"),
        ("open, misaligned against aligned", ratio(read + ", misaligned", read), 1.2, "x"),
        ("open, 2 segments against 1", ratio(read + ", 2 segments", read), 1.5, "x"),
        ("write_trailer, 8 pairs against none", ratio(write + ", 8 pairs", write), 4, "x"),
        ("open, 8 pairs against none", ratio(read + ", 8 pairs", read), 4, "x"),
        ("write_trailer, portable CRC against the instruction", ratio(write + PORTABLE, write), 3,
         "x"),
        ("open, portable CRC against the instruction", ratio(read + PORTABLE, read), 3, "x"),
        ("FlatBufferBuilder against write_trailer", ratio("write/FlatBufferBuilder, reused", write),
         -8, "x"),
        ("FlatBuffers Verifier against open", ratio("read/FlatBuffers Verifier", read), -2, "x"),
        ("Protobuf against write_trailer", ratio("write/Protobuf", write), -4, "x"),
        ("Protobuf against open", ratio("read/Protobuf", read), -4, "x"),
        ("write_trailer, payloads of 64 B to 256 MiB", flat("payload/write"), 1.1, "x"),
        ("open, payloads of 64 B to 256 MiB", flat("payload/open"), 1.1, "x"),
        ("strip, payloads of 64 B to 256 MiB", flat("payload/strip"), 1.1, "x"),
        ("slowest refusal", rows.median(slowest[0]) if slowest else None, 1000, "ns"),
        ("most allocations of a row without growth", max(allocations, default=None), 0, ""),
        ("text of the stripped library", text_size / 1024, 40, "KiB"),
    ]
    return [[what, float(f"{value:.4g}"), bound, unit] for what, value, bound, unit in found
            if value is not None]


def met(value, bound):
    return value >= -bound if bound < 0 else value <= bound


# From end to end.


def with_interval(values):
    """The median and its 95 % confidence interval, by the order of the values alone."""
    values = sorted(values)
    reach, middle = round(0.98 * len(values) ** 0.5), len(values) // 2
    return [statistics.median(values), values[max(middle - reach, 0)],
            values[min(middle + reach, len(values) - 1)]]


def evaluate(text):
    """Lines of the program end_to_end: payload size, then (ns, caller's CPU ns, server's) of each."""
    sizes = {}
    for line in text.splitlines():
        size, *numbers = map(int, line.split())
        sizes.setdefault(size, []).append([numbers[i:i + 3] for i in range(0, len(numbers), 3)])
    found = []
    for size, rounds in sizes.items():
        base, *_ = by_variant = list(zip(*rounds))
        for name, samples in zip(VARIANTS, by_variant):
            line = {"payload": size, "name": name, "requests": len(samples),
                    "ns": statistics.median(sample[0] for sample in samples),
                    "p99": statistics.quantiles((sample[0] for sample in samples), n=100)[98],
                    "caller": statistics.median(sample[1] for sample in samples),
                    "server": statistics.median(sample[2] for sample in samples)}
            if samples is not base:
                pairs = list(zip(samples, base))
                line["more ns"] = with_interval(a[0] - b[0] for a, b in pairs)
                line["more CPU"] = with_interval(sum(a[1:]) - sum(b[1:]) for a, b in pairs)
            found.append(line)
    return found


# Tables, the same ones for the terminal and for documents.


def table(head, lines, left=("",)):
    """Markdown with padded columns; those named in `left` are flush left, the others right."""
    lines = [[str(cell) for cell in line] for line in lines]
    widths = [max(3, *map(len, column)) for column in zip(head, *lines)]
    rule = ["-" * width if name in left else "-" * (width - 1) + ":"
            for name, width in zip(head, widths)]
    padded = [[cell.ljust(width) if name in left else cell.rjust(width)
               for name, cell, width in zip(head, line, widths)] for line in [head, *lines]]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [padded[0], rule, *padded[1:]])


def time_cell(row):
    return f"{row['ns']:.1f} ns ± {100 * row['spread']:.1f} %"


def floor_cell(row):
    return f"{row['x floor']:.1f}" if "x floor" in row else ""


def peer_table(result):
    lines = []
    for name, write, read, not_checked in PEERS:
        if write in result["rows"] and read in result["rows"]:
            w, r = result["rows"][write], result["rows"][read]
            lines.append([f"**{name}**" if name == "gradtail" else name, time_cell(w), floor_cell(w),
                          time_cell(r), floor_cell(r), w["wire"], not_checked])
    last = "its reader doesn't check"
    return table(["", "write", "x floor", "read", "x floor", "bytes", last], lines, ("", last))


def row_table(result):
    return table(["row", "time", "x floor", "instructions", "allocations"],
                 [[name, time_cell(row), floor_cell(row),
                   row.get("instructions", ""), row.get("allocations", "")]
                  for name, row in result["rows"].items()], ("row",))


def goal_table(result):
    return table(["goal", "measured", "bound", ""],
                 [[what, f"{value:g} {unit}".strip(),
                   f"{'at least' if bound < 0 else 'at most'} {abs(bound):g} {unit}".strip(),
                   "met" if met(value, bound) else "**missed**"]
                  for what, value, bound, unit in result["goals"]], ("goal", ""))


def size_name(size):
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"


def end_to_end_table(result):
    def interval(line, key):
        if key not in line:
            return ""
        middle, low, high = (value / 1000 for value in line[key])
        return f"{middle:+.2f} us ({low:+.2f} to {high:+.2f})"

    return table(["payload", "metadata", "median", "p99", "CPU, caller + server",
                  "more time (95 %)", "more CPU (95 %)"],
                 [[size_name(line["payload"]), line["name"], f"{line['ns'] / 1000:.1f} us",
                   f"{line['p99'] / 1000:.1f} us",
                   f"{line['caller'] / 1000:.1f} + {line['server'] / 1000:.1f} us",
                   interval(line, "more ns"), interval(line, "more CPU")]
                  for line in result["end_to_end"]], ("metadata",))


def about_text(result):
    about = result["about"]
    return "\n".join(textwrap.wrap(
        f"{about['machine']}; {about['system']}; {about['compiler']}; `{about['flags']}`; commit "
        f"{about['commit']}; {about['date']}; `{about['command']}`. The machine is shared: compare "
        "rows with each other, not with numbers from other machines.",
        100, break_on_hyphens=False, break_long_words=False))


# Storing.


def describe(build):
    commands = json.loads((build / "compile_commands.json").read_text())
    words = next(each for each in commands if each["file"].endswith("src/write.cpp"))["command"]
    flags = [word for word in words.split()[1:]
             if re.match(r"-(std|O|g|f(?!diagnostics)|m|DNDEBUG|Dflatbuffers)", word)]
    git = ["git", "-c", f"safe.directory={ROOT}", "-C", ROOT]
    changed = run(*git, "status", "--porcelain", "--untracked-files=no", "src", "include", "bench",
                  ":!bench/results")
    cpu = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    system = re.search(r'^PRETTY_NAME="(.*)"$', pathlib.Path("/etc/os-release").read_text(), re.M)
    return {"machine": f"{cpu[1] if cpu else platform.machine()}, "
                       f"{len(os.sched_getaffinity(0))} cores",
            "system": system[1] if system else platform.system(),
            "compiler": run("g++", "--version").splitlines()[0], "flags": " ".join(flags),
            "commit": run(*git, "rev-parse", "--short=10", "HEAD").strip()
            + (" with changes" if changed else ""),
            "date": datetime.date.today().isoformat(),
            "command": " ".join(["tools/bench", *sys.argv[1:]])}


def load():
    try:
        return json.loads((RESULTS / "result.json").read_text())
    except FileNotFoundError:
        sys.exit("there is no bench/results/result.json; tools/bench --save makes it")


def store(result):
    """One line for each item, so that two versions can be compared."""
    parts = []
    for key, part in result.items():
        items = ([f"{json.dumps(name)}: {json.dumps(item)}" for name, item in part.items()]
                 if isinstance(part, dict) else [json.dumps(item) for item in part])
        start, end = "{}" if isinstance(part, dict) else "[]"
        parts.append(f'"{key}": {start}\n  ' + ",\n  ".join(items) + f"\n{end}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "result.json").write_text("{\n" + ",\n".join(parts) + "\n}\n")


def draw(result):
    import charts
    rows = result["rows"]
    peers = [(name, rows[write], rows[read]) for name, write, read, _ in PEERS
             if write in rows and read in rows]
    times = [(name, [(kind, row["ns"], f"{row['ns']:,.1f} ns")
                     for kind, row in (("write", write), ("read", read))])
             for name, write, read in peers]
    sizes = [(name, [("bytes", write["wire"], write["wire"])]) for name, write, _ in peers]
    charts.draw(RESULTS / "costs.svg",
                ("Time to write and to read four scalars behind 1 KiB", "ns", times, True),
                ("Bytes behind the payload", "bytes", sizes, False))
    lines = result["end_to_end"]
    if lines:
        base = {line["payload"]: line["ns"] for line in lines if line["name"] == VARIANTS[0]}
        requests = [(name, [(size_name(line["payload"]), line["ns"] / base[line["payload"]],
                             f"{line['ns'] / 1000:.1f} us") for line in lines if line["name"] == name])
                    for name in VARIANTS]
        charts.draw(RESULTS / "end_to_end.svg",
                    ("Request and response", "multiples of no metadata", requests, False))


def write_pages(result):
    """Replaces what stands between <!-- bench:NAME --> and <!-- /bench -->."""
    parts = {"peers": peer_table(result), "rows": row_table(result), "goals": goal_table(result),
             "end_to_end": end_to_end_table(result), "about": about_text(result)}
    for page in (ROOT / "docs/benchmarks.md", ROOT / "README.md"):
        text = re.sub(r"(<!-- bench:(\w+) -->\n).*?(<!-- /bench -->)",
                      lambda found: f"{found[1]}\n{parts[found[2]]}\n\n{found[3]}", page.read_text(),
                      flags=re.S)
        page.write_text(text)


# Measuring.


def measure_rows(arguments, effort, pattern):
    rows, bench = Rows(), arguments.build / "bench"
    for count in range(effort.rounds):
        say(f"measuring, round {count + 1} of {effort.rounds}")
        for program in filter(pathlib.Path.exists, (bench / "rows", bench / "pytorch")):
            rows.add(measure.times(program, pattern, effort.seconds, effort.repetitions))
        if pattern == ".":
            rows.add({name + PORTABLE: row for name, row in measure.times(
                bench / "rows", PORTABLE_ROWS, effort.seconds, effort.repetitions,
                arguments.portable / "src").items()})
    order = measure.names(bench / "rows")
    rows.rows = dict(sorted(rows.rows.items(), key=lambda item: (
        order.index(item[0]) if item[0] in order else len(order), item[0])))
    return rows


def measure_all(arguments, effort):
    rows = measure_rows(arguments, effort, arguments.rows or ".")
    if shutil.which("valgrind"):
        say("counting instructions")
        for name, count in measure.instructions(arguments.build / "bench/rows").items():
            if name in rows.rows:
                rows.rows[name]["instructions"] = round(count)
    result = {"about": describe(arguments.build), "end_to_end": [],
              "goals": goals(rows, measure.text_size(arguments.build / "src")),
              "rows": {name: rows.summary(name) for name in rows.rows}}
    print(row_table(result), goal_table(result), sep="\n\n")
    program = arguments.build / "bench/end_to_end"
    if arguments.rows:
        return result
    if program.exists():
        say(f"sending {effort.requests} requests of each kind between two processes")
        result["end_to_end"] = evaluate(run(
            program, "--requests", effort.requests, progress=True, env={"GLOG_minloglevel": "2"}))
        print("", end_to_end_table(result), sep="\n")
    else:
        say("no requests between two processes: they need libtorch-dev")
    return result


def check(arguments):
    """0, or 1 if a row takes more of the floor's time than in the stored run, in each try."""
    stored, worse = load()["rows"], None
    for count in range(TRIES):
        rows = measure_rows(arguments, CHECK, "^(write|read|reject)/")
        lines = []
        for name in filter(ALLOCATION_FREE.match, rows.rows):
            before, now = stored.get(name, {}).get("x floor"), rows.summary(name)["x floor"]
            if before:
                lines.append([name, before, now, f"{now / before:.2f}"])
        print(table(["x floor", "stored", "now", "factor"], lines, ("x floor",)))
        found = {line[0] for line in lines if line[2] > WORSE * line[1]}
        worse = found if worse is None else worse & found
        if not worse:
            print(f"\nno row is more than {WORSE} times as slow as in the stored run")
            return 0
        print(f"\ntry {count + 1} of {TRIES}, more than {WORSE} times: {', '.join(sorted(worse))}")
    return 1


def main():
    parser = argparse.ArgumentParser(prog="tools/bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/bench",
                        help=argparse.SUPPRESS)
    parser.add_argument("--portable", type=pathlib.Path, default=ROOT / "build/bench-portable",
                        help=argparse.SUPPRESS)
    parser.add_argument("--parse", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="a first look in about a minute")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--rows", metavar="REGEX", help="only the rows that it finds")
    mode.add_argument("--save", action="store_true",
                      help="store the result in bench/results, with charts, and put it into "
                           "docs/benchmarks.md and README.md; needs python3-matplotlib")
    mode.add_argument("--draw", action="store_true",
                      help="only make the charts and tables again, from the stored result")
    mode.add_argument("--check", action="store_true",
                      help=f"compare with the stored result; exit status 1 if a row got more than "
                           f"{WORSE} times as slow, as a multiple of the floor, in {TRIES} tries")
    arguments = parser.parse_args()
    if (arguments.save or arguments.draw) and not importlib.util.find_spec("matplotlib"):
        parser.error("this needs matplotlib: install Debian's python3-matplotlib")
    if arguments.parse:
        return 0
    if arguments.check:
        return check(arguments)
    result = load() if arguments.draw else measure_all(arguments, QUICK if arguments.quick else FULL)
    if arguments.save:
        store(result)
    if arguments.save or arguments.draw:
        draw(result)
        write_pages(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
