# SPDX-License-Identifier: Apache-2.0
"""Runs the programs that Google Benchmark drives, round by round."""
import json
import pathlib
import subprocess
import sys

PROGRAMS = ["rows", "pytorch"]


def say(text):
    print(f"==> {text}", file=sys.stderr, flush=True)


def run_program(program, effort, pattern):
    """All repetitions of one round, as {row: ([ns, ...], bytes on the wire, allocations)}."""
    command = [str(program), "--benchmark_format=json", f"--benchmark_filter={pattern}",
               f"--benchmark_min_time={effort.seconds}",
               f"--benchmark_repetitions={effort.repetitions}",
               "--benchmark_enable_random_interleaving=true"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    rows = {}
    for run in json.loads(done.stdout)["benchmarks"] if done.stdout.strip() else []:
        if run.get("error_occurred"):
            say(f"{run['name']} is left out: {run['error_message']}")
        elif run["run_type"] == "iteration":
            rows.setdefault(run["run_name"], ([], run.get("wire"), run.get("allocations")))[0].append(run["cpu_time"])
    return rows


def measure_rows(results, build, effort, pattern="."):
    """Adds all rows that the build has and the pattern finds."""
    programs = [pathlib.Path(build, "bench", name) for name in PROGRAMS]
    programs = [program for program in programs if program.exists()]
    for count in range(1, effort.rounds + 1):
        say(f"measuring, round {count} of {effort.rounds}")
        for program in programs:
            for name, (times, wire, allocations) in run_program(program, effort, pattern).items():
                results.values[f"allocations {name}"] = allocations
                results.add(name, times, **({} if wire is None else {"wire": int(wire)}))
