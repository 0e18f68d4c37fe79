# SPDX-License-Identifier: Apache-2.0
"""Runs the program that GRADTAIL names; finds the reader and writer in Python."""

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
import wire  # noqa: E402, F401

PROGRAM = os.environ.get("GRADTAIL", "gradtail")


def gradtail(*arguments, stdin=b""):
    return subprocess.run([PROGRAM, *map(str, arguments)], input=stdin, capture_output=True,
                          timeout=60)


def inspected(message, *arguments):
    """The JSON of a message, and the exit status."""
    done = gradtail("inspect", "--json", "--from", "raw", *arguments, "-", stdin=message)
    return json.loads(done.stdout), done.returncode


def verdict(trailer):
    """The same as samples.verdict(), of a trailer in the JSON."""
    if not trailer["accepted"]:
        return tuple(trailer["error"][key] for key in ("code", "check", "field", "offset"))
    fields = trailer["metadata"]
    if "device_map" in fields:
        fields["device_map"] = [tuple(map(tuple, pair)) for pair in fields["device_map"]]
    return trailer["payload_size"], fields


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def file(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        return path
