# SPDX-License-Identifier: Apache-2.0
"""Proves that the golden messages of every release are still what they were.

golden.tsv is the manifest: name, size and sha256 of every message. Its own sha256 is pinned here,
so nobody can regenerate messages and manifest together without also changing this file.

If this test fails, undo the change instead of adjusting the pin: peers in the field keep sending
what they send, and whatever makes this test fail changes the wire format. To add messages, append
them in make_golden.py, run it, and add a pin of the longer table after the existing pins.
"""
import csv
import hashlib
import pathlib
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent / "v1"

# (lines of golden.tsv from its first, their sha256, what they hold). Pins are only ever added.
PINS = [
    (181,
     "afcc68e8541368191da3a57e5c7166b64c70d72d4cb3c0044708932881f1d355",
     "those of wire format 1 as of 0.1"),
]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Frozen(unittest.TestCase):
    def test_each_pin_covers_the_first_lines_of_the_table_and_the_last_one_all(self):
        lines = (FOLDER / "golden.tsv").read_bytes().splitlines(keepends=True)
        for count, expected, what in PINS:
            self.assertEqual(sha256(b"".join(lines[:count])), expected,
                             f"golden.tsv: its first {count} lines are no longer {what}")
        self.assertEqual(len(lines), PINS[-1][0], "golden.tsv has lines that no pin covers")

    def test_the_messages_are_those_of_the_table(self):
        with open(FOLDER / "golden.tsv", newline="") as table:
            expected = {f"{row['name']}.bin": row["sha256"]
                        for row in csv.DictReader(table, delimiter="\t")}
        found = {path.name: sha256(path.read_bytes()) for path in FOLDER.iterdir()}
        del found["golden.tsv"]
        self.assertEqual(found, expected)


if __name__ == "__main__":
    unittest.main()
