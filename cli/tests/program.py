# SPDX-License-Identifier: Apache-2.0
"""Runs the program that GRADTAIL names, and says what the independent reader would."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"
sys.path.insert(0, str(GOLDEN))
import wire  # noqa: E402

PROGRAM = os.environ.get("GRADTAIL", "gradtail")
FORWARD = {"context_id": (1 << 48) + 5, "message_id": (2 << 48) + 7, "from_worker_id": 2,
           "wrapped_message_type": 271}
EVERY = {**FORWARD, "device_map": [((1, 0), (1, 1)), ((1, 1), (1, 0))], "retain_graph": 1,
         "rref_created_on": 3, "rref_local_id": 9}


def gradtail(*arguments, stdin=b""):
    return subprocess.run([PROGRAM, *map(str, arguments)], input=stdin, capture_output=True,
                          timeout=60)


def inspected(message, *arguments):
    """The JSON of a message, and the exit status."""
    done = gradtail("inspect", "--json", "--from", "raw", *arguments, "-", stdin=message)
    return json.loads(done.stdout), done.returncode


def expected(message):
    """What the independent reader says, as the program prints it."""
    try:
        payload, fields = wire.read(message)
    except wire.Refused as e:
        return (e.code, e.check, e.field, e.offset)
    if "device_map" in fields:
        fields["device_map"] = [[list(s), list(t)] for s, t in fields["device_map"]]
    if "retain_graph" in fields:
        fields["retain_graph"] = True
    return len(payload), fields


def verdict(trailer):
    if trailer["accepted"]:
        return trailer["payload_size"], trailer["metadata"]
    error = trailer["error"]
    return tuple(error[key] for key in ("code", "check", "field", "offset"))


def flipped(message, at, bits=1):
    changed = bytearray(message)
    changed[at] ^= bits
    return bytes(changed)


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def file(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        return path
