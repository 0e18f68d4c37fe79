# SPDX-License-Identifier: Apache-2.0
"""flatc turns the table of every golden message into JSON with the fields that golden.tsv lists.

Writers must produce the canonical ones byte for byte, so this holds for tables that the library wrote.
"""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent / "v1"
SCHEMA = FOLDER.parents[2] / "schema/autograd_metadata.fbs"
FLATC = os.environ.get("FLATC", "flatc")
FOOTER_SIZE = 16
ABSENT = {"wrapped_message_type": 0, "device_map": [], "retain_graph": False}  # all others: -1


def device(text):
    device_type, index = map(int, text.split(":"))
    return {"type": device_type, "index": index}


def value_of(name, text):
    if name == "device_map":
        pairs = (pair.split(">") for pair in text.split(","))
        return [{"source": device(source), "target": device(target)} for source, target in pairs]
    return text == "1" if name == "retain_graph" else int(text)


class Flatc(unittest.TestCase):
    def test_flatc_reads_the_tables(self):
        rows = [line.split("\t") for line in (FOLDER / "golden.tsv").read_text().splitlines()[1:]]
        with tempfile.TemporaryDirectory() as scratch:
            tables = []
            for name, _, payload_size, *_ in rows:
                table = pathlib.Path(scratch, f"{name}.bin")
                message = (FOLDER / table.name).read_bytes()
                table.write_bytes(message[int(payload_size):-FOOTER_SIZE])
                tables.append(table)
            subprocess.run([FLATC, "--json", "--strict-json", "--raw-binary", "-o", scratch, SCHEMA,
                            "--", *tables], check=True)
            for table, row in zip(tables, rows):
                fields = (field.split("=") for field in row[5].split())
                expected = {name: value_of(name, text) for name, text in fields}
                with self.subTest(row[0]):
                    read = json.loads(table.with_suffix(".json").read_text())
                    read = {name: value for name, value in read.items()
                            if value != ABSENT.get(name, -1)}
                    self.assertEqual(read, expected)


if __name__ == "__main__":
    unittest.main()
