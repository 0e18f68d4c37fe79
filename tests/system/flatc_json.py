# SPDX-License-Identifier: Apache-2.0
"""Has flatc turn tables that the library wrote into JSON, and compares it with what was written."""
import argparse
import json
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile


def tables_as_json(flatc, schema, tables, directory):
    command = [flatc, "--json", "--strict-json", "--raw-binary", "-o", directory, schema, "--"]
    subprocess.run(command + tables, check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("writer", help="the program flatc_json, which writes the tables")
    parser.add_argument("flatc")
    parser.add_argument("schema")
    arguments = parser.parse_args()
    # What runs another machine's programs; Meson says so.
    wrapper = shlex.split(os.environ.get("MESON_EXE_WRAPPER", ""))
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([*wrapper, arguments.writer, directory], check=True)
        tables = sorted(pathlib.Path(directory).glob("*.bin"))
        tables_as_json(arguments.flatc, arguments.schema, [str(t) for t in tables], directory)
        failed = 0
        for table in tables:
            read = json.loads(table.with_suffix(".json").read_text())
            expected = json.loads(table.with_suffix(".expected").read_text())
            if read != expected:
                failed += 1
                print(f"{table.stem}: flatc reads {read}, but {expected} was written")
    print(f"{len(tables) - failed} passed, {failed} failed")
    return 0 if tables and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
