# SPDX-License-Identifier: Apache-2.0
"""Proves that the golden messages of every release are still what they were.

golden.tsv is the manifest: name, size and sha256 of every message. Its own sha256 is pinned here,
so nobody can regenerate messages and manifest together without also changing this file.

If this test fails, undo the change instead of adjusting the pin: peers in the field keep sending
what they send, and whatever makes this test fail changes the wire format. To add messages, append
them in make_golden.py, run it, and add a pin of the longer table after the existing pins.
"""
import hashlib
import pathlib
import shutil
import sys
import tempfile

FOLDER = pathlib.Path(__file__).resolve().parent / "v1"
HEADER = "name\tcanonical\tpayload_size\ttrailer_size\tsha256\tfields"

# (lines of golden.tsv from its first, their sha256, what they hold). Pins are only ever added.
PINS = [
    (181,
     "afcc68e8541368191da3a57e5c7166b64c70d72d4cb3c0044708932881f1d355",
     "those of wire format 1 as of 0.1"),
]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def problems_of_table(lines):
    """Each pin covers the first lines of the table, and the last pin covers all of them."""
    for count, expected, what in PINS:
        if sha256(b"".join(lines[:count])) != expected:
            yield f"golden.tsv: its first {count} lines are no longer {what}"
    pinned = PINS[-1][0]
    if len(lines) != pinned:
        yield f"golden.tsv: {len(lines)} lines, but {pinned} are pinned in frozen.py"


def problems_of_message(folder, row):
    name, _, payload_size, trailer_size, expected, _ = row
    path = folder / f"{name}.bin"
    if not path.is_file():
        return f"{path.name}: missing"
    data = path.read_bytes()
    if len(data) != int(payload_size) + int(trailer_size):
        return f"{path.name}: {len(data)} bytes"
    return f"{path.name}: changed" if sha256(data) != expected else None


def problems(folder):
    table = folder / "golden.tsv"
    if not table.is_file():
        return ["golden.tsv: missing"]
    lines = table.read_bytes().splitlines(keepends=True)
    found = list(problems_of_table(lines))
    rows = [line.decode().rstrip("\n").split("\t") for line in lines]
    if found or "\t".join(rows[0]) != HEADER:
        return found or [f"golden.tsv: its columns are no longer {HEADER.split()}"]
    found += filter(None, (problems_of_message(folder, row) for row in rows[1:]))
    known = {f"{row[0]}.bin" for row in rows} | {"golden.tsv"}
    foreign = {path.name for path in folder.iterdir()} - known
    return found + [f"{name}: not in golden.tsv" for name in sorted(foreign)]


def change(path, edit):
    path.write_bytes(edit(path.read_bytes()))


def append_row(folder):
    """Adds a valid message to the table, but no pin."""
    data = (folder / "older_writer.bin").read_bytes()
    (folder / "newcomer.bin").write_bytes(data)
    row = f"newcomer\tyes\t5\t{len(data) - 5}\t{sha256(data)}\tcontext_id=5\n"
    change(folder / "golden.tsv", lambda table: table + row.encode())


def regenerate(folder):
    """Changes a message and its row together, as a changed generator would."""
    path = folder / "older_writer.bin"
    old = path.read_bytes()
    new = b"HELLO" + old[5:]
    path.write_bytes(new)
    change(folder / "golden.tsv", lambda t: t.replace(sha256(old).encode(), sha256(new).encode()))


# What the test must notice: a name, and what to do to a copy of the folder.
BREAKAGES = {
    "a bit flipped": lambda f: change(f / "map_2.bin", lambda d: bytes([d[0] ^ 1]) + d[1:]),
    "a byte longer": lambda f: change(f / "map_2.bin", lambda d: d + b"\0"),
    "a message removed": lambda f: (f / "largest.bin").unlink(),
    "a message without a row": lambda f: (f / "newcomer.bin").write_bytes(b"hello"),
    "a foreign file": lambda f: (f / "notes.txt").write_text("hello"),
    "a row without a pin": append_row,
    "a message regenerated with its row": regenerate,
    "a field of a row changed": lambda f: change(
        f / "golden.tsv", lambda t: t.replace(b"context_id=5", b"context_id=6", 1)),
    "the last row removed": lambda f: change(
        f / "golden.tsv", lambda t: t[: t.rindex(b"\n", 0, -1) + 1]),
    "no table": lambda f: (f / "golden.tsv").unlink(),
}


def unnoticed():
    """The breakages that this test would let pass."""
    for name, break_it in BREAKAGES.items():
        with tempfile.TemporaryDirectory() as scratch:
            folder = pathlib.Path(scratch) / "v1"
            shutil.copytree(FOLDER, folder)
            break_it(folder)
            if not problems(folder):
                yield f"not noticed: {name}"


def main():
    wrong = problems(FOLDER)
    wrong = wrong or list(unnoticed())
    print(*wrong, sep="\n", end="\n" if wrong else "", file=sys.stderr)
    print(f"{PINS[-1][0] - 1} messages and {len(BREAKAGES)} breakages, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
