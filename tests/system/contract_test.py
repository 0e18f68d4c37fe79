# SPDX-License-Identifier: Apache-2.0
"""SECURITY.md promises what the parser's head comment promises, word for word."""
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def contract(file, mark):
    """The words of the contract in the lines that start with `mark`."""
    lines = (ROOT / file).read_text().splitlines()
    text = " ".join(line[len(mark):] for line in lines if line.startswith(mark))
    return re.search("Any bytes, of any length,.*its accessors can't fail.",
                     " ".join(text.split()))[0]


class Contract(unittest.TestCase):
    def test_code_and_document_promise_the_same(self):
        self.assertEqual(contract("src/open.cpp", "//"), contract("SECURITY.md", ">"))


if __name__ == "__main__":
    unittest.main()
