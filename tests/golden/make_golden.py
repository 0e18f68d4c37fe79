# SPDX-License-Identifier: Apache-2.0
# Adds missing golden messages of wire format version 1 to v1/, or checks the existing ones.

import argparse
import hashlib
import pathlib
import sys
from collections import namedtuple

import layouts
import wire

FOLDER = pathlib.Path(__file__).resolve().parent / "v1"
COLUMNS = ("name", "canonical", "payload_size", "trailer_size", "sha256", "fields")

# `message` is the payload, of `payload_size` bytes, and the trailer. `canonical`: a writer that is
# given the payload and the fields must produce exactly these bytes.
Golden = namedtuple("Golden", "name canonical payload_size message fields")

SCALARS = {
    "context_id": (1 << 48) + 5,
    "message_id": (2 << 48) + 0x0102030405,
    "from_worker_id": 7,
    "wrapped_message_type": 0x10F,
    "retain_graph": 1,
    "rref_created_on": 3,
    "rref_local_id": 0x1122334455667788,
}
FORWARD = dict(list(SCALARS.items())[:4])
LOWEST = {**dict.fromkeys(SCALARS, 0), "wrapped_message_type": 1, "retain_graph": 1}
HIGHEST = {field.name: field.high for field in wire.FIELDS if field.name in SCALARS}
LAST_IDS = {"context_id": (1 << 63) - 2, "message_id": (1 << 63) - 2}
EXTREME_DEVICES = [(0, -1), (0, 127), (63, -1), (63, 127)]
EXTREME_MAP = list(zip(EXTREME_DEVICES, reversed(EXTREME_DEVICES)))


def payload_of(size):
    return bytes((i * 31 + 7) & 255 for i in range(size))


def canonical(name, payload, fields):
    return Golden(name, "yes", len(payload), wire.write(payload, fields), fields)


def device_map(count):
    """`count` pairs: each device maps to the next one, the last to the first."""
    devices = [(1 + i // 32, i % 32) for i in range(max(count, 2))]
    return {"device_map": [(devices[i], devices[(i + 1) % len(devices)]) for i in range(count)]}


def scalar_sets():
    """All sets of scalar fields: bit i of the number in the name is the i-th of SCALARS."""
    for bits in range(1 << len(SCALARS)):
        fields = {name: value for i, (name, value) in enumerate(SCALARS.items()) if bits >> i & 1}
        yield canonical(f"scalars_{bits:#04x}", payload_of(bits % 8), fields)


def extremes():
    yield canonical("lowest_values", payload_of(5), LOWEST)
    yield canonical("highest_values", payload_of(5), HIGHEST)
    yield canonical("last_ids", payload_of(5), LAST_IDS)


def maps():
    for count in (1, 2, 3, 8, 128):
        yield canonical(f"map_{count}", payload_of(count % 7), {**FORWARD, **device_map(count)})
    for count in (1, 2):
        yield canonical(f"map_{count}_alone", payload_of(3), device_map(count))
    yield canonical("map_extremes", payload_of(3), {"device_map": EXTREME_MAP})
    yield canonical("largest", payload_of(3), {**SCALARS, **device_map(128)})


def payloads():
    for size in (*range(18), 65536):
        yield canonical(f"payload_{size}", payload_of(size), FORWARD)


def stacked():
    """The payload is itself a message with a trailer; rows describe the outermost one."""
    inner = wire.write(payload_of(5), FORWARD)
    middle = wire.write(inner, {"context_id": 11, **device_map(2)})
    yield canonical("stacked_2", inner, {"context_id": 12, "retain_graph": 1})
    yield canonical("stacked_3", middle, {})


def others():
    """An older writer, and tables that only readers meet."""
    yield canonical("older_writer", b"hello", {"context_id": 5})
    for name, (table, fields) in layouts.LAYOUTS.items():
        yield Golden(name, "no", 5, wire.seal(b"hello", table), fields)


def all_goldens():
    return [g for make in (scalar_sets, extremes, maps, payloads, stacked, others) for g in make()]


def map_text(pairs):
    return ",".join(f"{s[0]}:{s[1]}>{t[0]}:{t[1]}" for s, t in pairs)


def fields_text(fields):
    """The fields that are present, in the order of their ids."""
    known = [(f.name, fields[f.name]) for f in wire.FIELDS if f.name in fields]
    return " ".join(f"{k}={map_text(v) if k == 'device_map' else v}" for k, v in known)


def row(golden):
    trailer_size = len(golden.message) - golden.payload_size
    sha256 = hashlib.sha256(golden.message).hexdigest()
    columns = (golden.name, golden.canonical, golden.payload_size, trailer_size, sha256)
    return "\t".join(map(str, (*columns, fields_text(golden.fields))))


def contents(goldens):
    """The name and the bytes of every file."""
    files = {f"{golden.name}.bin": golden.message for golden in goldens}
    lines = ["\t".join(COLUMNS), *map(row, goldens)]
    return {**files, "golden.tsv": ("\n".join(lines) + "\n").encode()}


def stray_ids(trailer):
    """The ids stored in a trailer that are neither assigned nor reserved for tests."""
    root = wire.word(trailer, 0, "I")
    vtable = root - wire.word(trailer, root, "i")
    ids = range(len(wire.FIELDS), (wire.word(trailer, vtable, "H") - 4) // 2)
    stored = (i for i in ids if wire.word(trailer, vtable + 4 + 2 * i, "H"))
    return [i for i in stored if i not in wire.RESERVED_IDS]


def detached_check(trailer, payload_size):
    """The check that refuses a detached trailer, or None."""
    try:
        wire.read_detached(trailer, payload_size)
    except wire.Refused as refused:
        return refused.check
    return None


def misread(golden):
    """What is wrong with a message, or None."""
    trailer = golden.message[golden.payload_size :]
    if stray_ids(trailer):
        return f"{golden.name}: stores an id that a later version may assign (FORMAT.md, section 9)"
    try:
        payload, fields = wire.read(golden.message)
        detached_fields = wire.read_detached(trailer, golden.payload_size)
    except wire.Refused as refused:
        return f"{golden.name}: refused, {refused}"
    if (payload, fields) != (golden.message[: golden.payload_size], golden.fields):
        return f"{golden.name}: read as {fields}"
    if (wire.write(payload, fields) == golden.message) != (golden.canonical == "yes"):
        return f"{golden.name}: canonical should not be {golden.canonical}"
    if detached_fields != fields:
        return f"{golden.name}: read as {detached_fields} if it is detached"
    if detached_check(trailer, golden.payload_size + 1) != "checksum":
        return f"{golden.name}: accepted for a payload of another size"
    if detached_check(bytes(8) + trailer, golden.payload_size) != "trailer_size":
        return f"{golden.name}: accepted with more bytes than the trailer has"
    return None


def differences(files):
    """What is wrong with the folder: missing, changed and foreign files."""
    for name, data in files.items():
        path = FOLDER / name
        if not path.is_file():
            yield f"{name}: missing"
        elif path.read_bytes() != data:
            yield f"{name}: differs"
    foreign = {path.name for path in FOLDER.glob("*")} - set(files)
    yield from (f"{name}: doesn't belong here" for name in sorted(foreign))


def add_new(files):
    """Writes missing files. Existing ones are frozen (frozen.py); golden.tsv only grows."""
    FOLDER.mkdir(exist_ok=True)
    for name, data in files.items():
        path = FOLDER / name
        old = path.read_bytes() if path.is_file() else b""
        if not old or name == "golden.tsv" and data.startswith(old):
            path.write_bytes(data)


def main():
    parser = argparse.ArgumentParser(description="Adds missing golden messages to v1/.")
    parser.add_argument("--check", action="store_true", help="write nothing, only check")
    check = parser.parse_args().check
    goldens = all_goldens()
    files = contents(goldens)
    if not check:
        add_new(files)
    wrong = [*filter(None, map(misread, goldens)), *differences(files)]
    print(*wrong, sep="\n", end="\n" if wrong else "", file=sys.stderr)
    print(f"{len(goldens)} messages, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
