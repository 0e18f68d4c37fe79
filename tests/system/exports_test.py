#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The shared library exports its own names and no others, and finds what it calls when it is loaded.
Arguments: nm, the library.
"""
import re
import sys
import unittest

from running import run

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
detail::number_type
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
    """The dynamic symbols, demangled."""
    lines = run(NM, "--dynamic", "--defined-only", "--demangle", LIBRARY).splitlines()
    names = (line.split(" ", 2)[-1].replace("[abi:cxx11]", "") for line in lines)
    return [name for name in names if not name.startswith("GLIBC")]


def short(name):
    """Without the inline namespace; of overloads that differ in nothing that a user would call, the
    name alone."""
    name = re.sub(r"gradtail::v\d+_\d+::", "", name)
    return name if name.startswith(("to_string(", "IdGenerator")) else name.split("(", 1)[0]


class Exports(unittest.TestCase):
    def test_names_are_those_that_are_meant(self):
        self.assertEqual(sorted(map(short, exported())), sorted(NAMES.split("\n")[1:-1]))

    def test_all_are_in_the_namespace_of_one_version(self):
        versions = re.findall(r"gradtail::(v\d+_\d+)::", "\n".join(exported()))
        self.assertEqual(len(set(versions)), 1)

    def test_no_call_needs_the_dynamic_linker(self):
        """It would take 3 KiB of a stack of which 2 are promised to be enough."""
        self.assertIn("BIND_NOW", run("readelf", "--dynamic", LIBRARY))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
