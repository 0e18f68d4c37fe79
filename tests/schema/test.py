# SPDX-License-Identifier: Apache-2.0
"""Proves that the schema conforms to every one that was released, so that all their peers agree.

flatc --conform compares types, defaults and ids. It misses a file identifier, root type, name or
last field that is gone, a struct that grows, and what is required or deprecated: evolution.py sees
those. changes.py has what both must accept and refuse.
"""
import argparse
import hashlib
import pathlib
import re
import subprocess
import sys
import tempfile

import bfbs
import changes
import evolution

FOLDER = pathlib.Path(__file__).resolve().parent / "frozen"

# The schema as each release had it, with its sha256. When this test fails, mend the schema, not
# these. A release that adds fields adds a file and a line.
FROZEN = {
    "v1.fbs": "e06f9d184e85ebdbd1492d2c12bec4fd49972558f159a73fb5c1844005c6daa2",
}


def run(command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


def parsed(flatc, path):
    """The schema as flatc understands it."""
    with tempfile.TemporaryDirectory() as scratch:
        done = run([flatc, "--schema", "--binary", "-o", scratch, str(path)])
        if done.returncode != 0:
            sys.exit(f"flatc can't read {path}: {done.stdout}{done.stderr}")
        return bfbs.parse((pathlib.Path(scratch) / f"{path.stem}.bfbs").read_bytes())


def conforms(flatc, old, new):
    return run([flatc, "--conform", str(old), str(new)]).returncode == 0


def frozen_errors():
    """Frozen copies are there, all of them and unchanged."""
    for name in sorted({path.name for path in FOLDER.iterdir()} ^ set(FROZEN)):
        yield f"{name}: missing, or not pinned in test.py"
    for name, expected in FROZEN.items():
        path = FOLDER / name
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            yield f"{name}: changed"


def schema_errors(flatc, schema):
    """The schema conforms to each frozen one."""
    for name in FROZEN:
        old = FOLDER / name
        if not conforms(flatc, old, schema):
            yield f"flatc --conform refuses the schema for {name}"
        for error in evolution.errors(parsed(flatc, old), parsed(flatc, schema)):
            yield f"{name}: {error}"


def edited(text, edits):
    for old, new in edits:
        if old not in text:
            sys.exit(f"changes.py: {old!r} is not in the schema")
        text = text.replace(old, new, 1)
    return text


def change_errors(flatc, folder, change, allowed):
    """The change is seen by whom it should, and refused exactly if it isn't allowed."""
    text = re.sub(" *//.*\n", "", (FOLDER / "v1.fbs").read_text())
    with_enum = changes.ENUM in change.edits
    old, new = folder / "old.fbs", folder / "new.fbs"
    old.write_text(edited(text, [changes.ENUM] if with_enum else []))
    new.write_text(edited(text, change.edits))
    found = list(evolution.errors(parsed(flatc, old), parsed(flatc, new)))
    accepted = conforms(flatc, old, new)
    if bool(found) == allowed:
        yield f"{change.name}: {found or 'not seen'}"
    if accepted and change.seen or allowed and not accepted:
        yield f"{change.name}: flatc --conform {'accepts' if accepted else 'refuses'} it"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("flatc")
    parser.add_argument("schema", type=pathlib.Path)
    arguments = parser.parse_args()
    wrong = [*frozen_errors()] or [*schema_errors(arguments.flatc, arguments.schema)]
    with tempfile.TemporaryDirectory() as scratch:
        for rows, allowed in ((changes.ALLOWED, True), (changes.REFUSED, False)):
            for change in rows:
                folder = pathlib.Path(scratch)
                wrong += change_errors(arguments.flatc, folder, change, allowed)
    print(*wrong, sep="\n", end="\n" if wrong else "", file=sys.stderr)
    count = len(FROZEN) + len(changes.ALLOWED) + len(changes.REFUSED)
    print(f"{count} schemas, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
