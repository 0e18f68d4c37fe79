# SPDX-License-Identifier: Apache-2.0
"""Writes the C++ of a page, all its blocks in order, to a file that a test includes."""
import argparse
import pathlib
import re
import sys


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    arguments = parser.parse_args()
    blocks = re.findall(r"^```cpp\n(.*?)^```$", arguments.page.read_text(), re.M | re.S)
    if not blocks:
        sys.exit(f"{arguments.page}: no ```cpp block")
    arguments.output.write_text("\n".join(blocks))


if __name__ == "__main__":
    main()
