# SPDX-License-Identifier: Apache-2.0
"""Writes the C++ of README.md, all its blocks in order, to a file that test_readme.cpp includes."""
import argparse
import pathlib
import re
import sys


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("readme", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    arguments = parser.parse_args()
    blocks = re.findall(r"^```cpp\n(.*?)^```$", arguments.readme.read_text(), re.M | re.S)
    if not blocks:
        sys.exit(f"{arguments.readme}: no ```cpp block")
    arguments.output.write_text("\n".join(blocks))


if __name__ == "__main__":
    main()
