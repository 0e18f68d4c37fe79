# SPDX-License-Identifier: Apache-2.0
"""The JSON of a run: what was measured, on what, with what, of which commit, when."""
import datetime
import json
import os
import pathlib
import platform
import re
import subprocess
import sys

from report.results import Results

RESULT = pathlib.Path("bench/results/result.json")


def output(*command, cwd=None):
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=cwd)
    return done.stdout.strip()


def cpu():
    found = re.search(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return found.group(1) if found else platform.machine()


def operating_system():
    found = re.search(r'^PRETTY_NAME="(.*)"$', pathlib.Path("/etc/os-release").read_text(), re.M)
    return found.group(1) if found else platform.system()


def commit(root):
    git = ["git", "-c", f"safe.directory={root}"]
    changed = output(*git, "status", "--porcelain", "--untracked-files=no", "--", "src", "include",
                     "bench", ":!bench/results", cwd=root)
    name = output(*git, "rev-parse", "--short=10", "HEAD", cwd=root)
    return name + (" with changes" if changed else "")


def flags(build):
    """What the library is compiled with, without paths and warnings."""
    commands = json.loads(pathlib.Path(build, "compile_commands.json").read_text())
    words = next(entry for entry in commands if entry["file"].endswith("src/write.cpp"))["command"]
    kept = [word for word in words.split()[1:]
            if re.match(r"-(std|O|g|f(?!diagnostics)|m|DNDEBUG|Dflatbuffers)", word)]
    return " ".join(kept)


def describe(build, root, command):
    return {
        "command": command,
        "date": datetime.date.today().isoformat(),
        "commit": commit(root),
        "machine": f"{cpu()}, {len(os.sched_getaffinity(0))} cores",
        "system": operating_system(),
        "compiler": output("g++", "--version").splitlines()[0],
        "flags": flags(build),
    }


def rounded(row):
    return {**row, "rounds": [[float(f"{time:.4g}") for time in times] for times in row["rounds"]]}


def dump(stored):
    """As JSON with a line for each item, so that versions can be compared."""
    parts = []
    for key, part in stored.items():
        if isinstance(part, list):
            start, items, end = "[", [json.dumps(item) for item in part], "]"
        else:
            items = [f"{json.dumps(name)}: {json.dumps(item)}" for name, item in part.items()]
            start, end = "{", "}"
        parts.append(f'"{key}": {start}\n  ' + ",\n  ".join(items) + f"\n{end}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def save(root, about, results, judged):
    goals = [{"goal": goal.what, "measured": float(f"{value:.4g}"), "bound": goal.bound(),
              "met": met} for goal, value, met in judged if value is not None]
    path = root / RESULT
    path.parent.mkdir(exist_ok=True)
    path.write_text(dump({
        "about": about, "goals": goals, "values": results.values,
        "end_to_end": results.end_to_end,
        "rows": {name: rounded(row) for name, row in results.rows.items()}}))


def load(root):
    """(about, Results, goals) of the stored run."""
    if not (root / RESULT).exists():
        sys.exit(f"there is no {RESULT} yet: tools/bench --save makes it")
    stored = json.loads((root / RESULT).read_text())
    results = Results(stored["rows"], stored["values"], stored.get("end_to_end"))
    return stored["about"], results, stored["goals"]
