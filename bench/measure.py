# SPDX-License-Identifier: Apache-2.0
"""Runs the programs with the rows: their times and instructions. The form of all tables."""
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
COUNT = 1600  # how often callgrind sees each row
PORTABLE = ", portable CRC"  # ends the names of rows on a library that finds no CRC instruction


def say(text):
    print(f"==> {text}", file=sys.stderr, flush=True)


def run(*command, library=None, env=None, progress=False, cwd=None):
    """The output of a command. Shows what it printed and stops if it fails.

    `library` is a folder with the libgradtail.so to use. Errors are shown at once if they are
    progress, otherwise only when the command fails.
    """
    env = {**os.environ, **(env or {}), **({"LD_LIBRARY_PATH": str(library)} if library else {})}
    done = subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE,
                          stderr=None if progress else subprocess.PIPE, env=env, cwd=cwd)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr or ''}")
    return done.stdout


def git(*arguments):
    return run("git", "-c", f"safe.directory={ROOT}", *arguments, cwd=ROOT)


def commit():
    """The commit of this tree, and whether what is measured differs from it."""
    changed = git("status", "--porcelain", "--untracked-files=no", "src", "include", "bench",
                  "python", ":!bench/results")
    return git("rev-parse", "--short=10", "HEAD").strip() + (" with changes" if changed else "")


def cpu():
    found = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return found[1] if found else platform.machine()


def times(program, pattern, seconds, repetitions, library=None):
    """Runs the rows whose names the pattern finds, in random order.

    Returns {row: {"times": [ns of CPU time, ...], counter: value, ...}}.
    """
    output = run(program, "--benchmark_format=json", f"--benchmark_filter={pattern}",
                 f"--benchmark_min_time={seconds}", f"--benchmark_repetitions={repetitions}",
                 "--benchmark_enable_random_interleaving=true", library=library)
    rows = {}
    for found in json.loads(output)["benchmarks"] if output.strip() else []:
        name = found["run_name"]
        if found.get("error_occurred"):
            sys.exit(f"{program}: {name}: {found['error_message']}")
        if found["run_type"] == "iteration":
            row = rows.setdefault(name, {"times": []})
            row["times"].append(found["cpu_time"])
            row.update({key: round(found[key]) for key in ("wire", "allocations") if key in found})
    return rows


def names(program, library=None):
    """All rows of a program, in the order of its sources."""
    return run(program, "--benchmark_list_tests", library=library).splitlines()


def instructions(program, library=None):
    """Instructions of one iteration of each row, counted by callgrind."""
    counted = {}
    with tempfile.TemporaryDirectory() as folder:
        run("valgrind", "--tool=callgrind", "--callgrind-out-file=out", program, "--count", COUNT,
            library=library, cwd=folder)
        for path in pathlib.Path(folder).iterdir():
            text = path.read_text()
            name = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.M)
            total = re.search(r"^(?:summary|totals): (\d+)", text, re.M)
            if name and total:
                counted[name.group(1)] = int(total.group(1)) / COUNT
    return counted


def text_size(library):
    """Bytes of code, constants and unwinding tables of a shared library once it is stripped."""
    with tempfile.TemporaryDirectory() as folder:
        stripped = pathlib.Path(folder, "stripped.so")
        run("strip", "-o", stripped, library / "libgradtail.so")
        return int(run("size", stripped).splitlines()[1].split()[0])


def table(head, lines, left=("",)):
    """Markdown with padded columns; those named in `left` are flush left, the others right."""
    lines = [[str(cell) for cell in line] for line in lines]
    widths = [max(3, *map(len, column)) for column in zip(head, *lines)]
    rule = ["-" * width if name in left else "-" * (width - 1) + ":"
            for name, width in zip(head, widths)]
    padded = [[cell.ljust(width) if name in left else cell.rjust(width)
               for name, cell, width in zip(head, line, widths)] for line in [head, *lines]]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [padded[0], rule, *padded[1:]])
