# SPDX-License-Identifier: Apache-2.0
"""The schema is compatible with every released one: FORMAT.md, section 9.

The rule is strict and simple: a later schema repeats the released declarations word for word, in the
same order, and may add fields, values of enums and types behind them. flatc --conform must agree.
"""
import hashlib
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import changes

FOLDER = pathlib.Path(__file__).resolve().parent
SCHEMA = FOLDER.parents[1] / "schema/autograd_metadata.fbs"
FLATC = os.environ.get("FLATC", "flatc")

# The schema of each release, with its sha256. If this test fails, fix the schema, not these. A
# release that adds fields adds a file and a line.
FROZEN = {
    "v1.fbs": "e06f9d184e85ebdbd1492d2c12bec4fd49972558f159a73fb5c1844005c6daa2",
}

# FORMAT.md, section 3: ids from here on are for tests only.
FIRST_RESERVED_ID = 112


def declarations(text):
    """Statements such as root_type, and {header of a type: its members}, without comments."""
    text = " ".join(re.sub("//.*", "", text).split())
    types = {header.strip(): [member.strip() for member in re.split("[;,]", body) if member.strip()]
             for header, body in re.findall(r"([^;{}]*){([^}]*)}", text)}
    statements = re.sub(r"[^;{}]*{[^}]*}", "", text).split(";")
    return {statement.strip() for statement in statements}, types


def is_compatible(old, new):
    """Whether the text `new` only adds to the schema `old` what every peer can ignore."""
    old_statements, old_types = declarations(old)
    new_statements, new_types = declarations(new)
    if new_statements != old_statements:
        return False
    for header, members in old_types.items():
        now = new_types.get(header, [])
        added = now[len(members):]
        if now[:len(members)] != members or added and header.startswith("struct"):
            return False
        if header.startswith("table"):
            for member_id, member in enumerate(added, len(members)):
                if f"(id: {member_id})" not in member or member_id >= FIRST_RESERVED_ID:
                    return False
    return True


def flatc_agrees(old, new):
    """Whether flatc finds that the text `new` conforms to `old`."""
    with tempfile.TemporaryDirectory() as folder:
        files = [pathlib.Path(folder, name) for name in ("old.fbs", "new.fbs")]
        for file, text in zip(files, (old, new)):
            file.write_text(text)
        command = [FLATC, "--conform", *map(str, files)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def edited(text, edits):
    for old, new in edits:
        assert old in text, f"changes.py: {old!r} is not in the schema"
        text = text.replace(old, new, 1)
    return text


class Schema(unittest.TestCase):
    def test_frozen_copies_are_all_there_and_unchanged(self):
        found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
                 for path in (FOLDER / "frozen").iterdir()}
        self.assertEqual(found, FROZEN)

    def test_it_is_compatible_with_every_release(self):
        for name in FROZEN:
            old = (FOLDER / "frozen" / name).read_text()
            self.assertTrue(is_compatible(old, SCHEMA.read_text()), name)
            self.assertTrue(flatc_agrees(old, SCHEMA.read_text()), name)

    def test_changes_are_allowed_or_refused(self):
        text = re.sub(" *//.*\n", "", (FOLDER / "frozen/v1.fbs").read_text())
        for allowed, rows in ((True, changes.ALLOWED), (False, changes.REFUSED)):
            for change in rows:
                old = edited(text, [changes.ENUM] if changes.ENUM in change.edits else [])
                new = edited(text, change.edits)
                with self.subTest(change.name):
                    self.assertEqual(is_compatible(old, new), allowed)
                    if allowed or change.seen:
                        self.assertEqual(flatc_agrees(old, new), allowed)


if __name__ == "__main__":
    unittest.main()
