#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""SECURITY.md promises what the parser's head comment promises, word for word."""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BEGIN, END = "Any bytes, of any length,", "The bytes must not change meanwhile."


def contract(file, mark):
    """The words from BEGIN to END in lines that start with `mark`."""
    lines = (ROOT / file).read_text().splitlines()
    text = " ".join(line[len(mark):].strip() for line in lines if line.startswith(mark))
    words = " ".join(text.split())
    if BEGIN not in words or END not in words:
        sys.exit(f"{file} has no contract from '{BEGIN}' to '{END}' behind '{mark}'")
    return words[words.index(BEGIN):words.index(END) + len(END)]


def main():
    code, document = contract("src/open.cpp", "//"), contract("SECURITY.md", ">")
    if code != document:
        sys.exit(f"the contracts differ\n  src/open.cpp: {code}\n  SECURITY.md:  {document}")


main()
