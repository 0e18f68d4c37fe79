#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The shared library exports its own names and no others. Arguments: nm, the library."""
import re
import subprocess
import sys
import unittest

NM, LIBRARY = sys.argv[1:3]

NAMES = """
IdGenerator::next()
TrailerView::has_unknown_fields
detail::Parser::accept_last
detail::Parser::open
detail::Parser::open_copy
detail::Parser::open_into
detail::Parser::open_message
detail::Parser::open_trailer
detail::Parser::peek
detail::try_write
detail::write_error
is_present
operator==
to_string(AutogradMetadata const&)
to_string(Check)
to_string(Code)
to_string(Device)
to_string(Error const&)
to_string(Field)
trailer_size
"""


def exported():
    """The names of the dynamic symbols, without their inline namespace; of overloads that differ in
    nothing that a user would call, the name alone."""
    lines = subprocess.run([NM, "--dynamic", "--defined-only", "--demangle", LIBRARY], check=True,
                           capture_output=True, text=True).stdout.splitlines()
    for line in lines:
        name = line.split(" ", 2)[-1].replace("[abi:cxx11]", "")
        if name.startswith("GLIBC"):
            continue
        name = re.sub(r"gradtail::v\d+_\d+::", "", name)
        keep = name.startswith(("to_string(", "IdGenerator"))
        yield name if keep else name.split("(", 1)[0]


class Exports(unittest.TestCase):
    def test_names_are_those_that_are_meant(self):
        self.assertEqual(sorted(exported()), sorted(NAMES.split("\n")[1:-1]))

    def test_all_are_in_the_namespace_of_one_version(self):
        text = subprocess.run([NM, "--dynamic", "--defined-only", "--demangle", LIBRARY],
                              check=True, capture_output=True, text=True).stdout
        self.assertEqual(len(set(re.findall(r"gradtail::(v\d+_\d+)::", text))), 1)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
