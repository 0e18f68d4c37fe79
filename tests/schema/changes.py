# SPDX-License-Identifier: Apache-2.0
# Changes to a schema: which are allowed, and which must be refused.

from collections import namedtuple

# `edits` are replacements in the text of the schema, made in turn: [(old, new), ...]. `seen`: flatc
# --conform refuses the change too; later versions of flatc may notice more.
Change = namedtuple("Change", "name seen edits")

# The text is frozen/v1.fbs without comments. Some changes add an enum first: v1 has none, and later
# versions may have some.
ENUM = ("root_type", "enum Kind : ubyte { forward, backward }\nroot_type")


def fields_up_to(last_id):
    """The edit that adds fields with all ids from 8 to this one."""
    fields = "".join(f"\n  f{i}: byte (id: {i});" for i in range(8, last_id + 1))
    return [("(id: 7);", "(id: 7);" + fields)]


ALLOWED = [
    Change("nothing", False, []),
    Change("a field at the end", False, [("(id: 7);", "(id: 7);\n  profile: long = -1 (id: 8);")]),
    Change("a vector at the end", False, [("(id: 7);", "(id: 7);\n  map: [DevicePair] (id: 8);")]),
    Change("fields up to the last id", False, fields_up_to(111)),
    Change("a table, a struct and an enum", False,
           [("root_type", "enum C : byte { d } struct B { c: C; } table A { b: B; }\nroot_type")]),
    Change("a value at the end of an enum", False, [ENUM, ("backward }", "backward, cleanup }")]),
]

REFUSED = [
    # These two would be harmless, but nobody needs them.
    Change("ids left to the order", False, [(f" (id: {i})", "") for i in range(8)]),
    Change("another order with the same ids", False,
           [("  context_id: long = -1 (id: 0);\n", ""),
            ("(id: 7);", "(id: 7);\n  context_id: long = -1 (id: 0);")]),
    Change("another file identifier", False, [("AGMD", "AGME")]),
    Change("no file identifier", False, [('file_identifier "AGMD";', "")]),
    Change("another root type", False, [("root_type AutogradMetadata", "table T {}\nroot_type T")]),
    Change("no root type", False, [("root_type AutogradMetadata;", "")]),
    Change("another namespace", False, [("namespace gradtail.fbs", "namespace gradtail.other")]),
    Change("table renamed", False,
           [("table AutogradMetadata", "table Metadata"), ("root_type Autograd", "root_type ")]),
    Change("last field removed", False, [("  rref_local_id: long = -1 (id: 7);\n", "")]),
    Change("last field removed, another in its place", False,
           [("rref_local_id: long = -1", "rref_owner: long = -1")]),
    Change("field renamed", False, [("retain_graph:", "keep_graph:")]),
    Change("field deprecated", False, [("(id: 6)", "(id: 6, deprecated)")]),
    Change("field required", False, [("(id: 4)", "(id: 4, required)")]),
    Change("a field with a reserved id", False, fields_up_to(112)),
    Change("new field required", False, [("(id: 7);", "(id: 7);\n  s: string (id: 8, required);")]),
    Change("field optional", True, [("uint = 0", "uint = null")]),
    Change("field a key", False, [("from_worker_id: int = -1 (id: 2)",
                                   "from_worker_id: int = -1 (id: 2, key)")]),
    Change("other default", True, [("from_worker_id: int = -1", "from_worker_id: int = 0")]),
    Change("default of a bool", True, [("bool = false", "bool = true")]),
    Change("narrower type", True, [("context_id: long", "context_id: int")]),
    Change("wider type", True, [("from_worker_id: int", "from_worker_id: long")]),
    Change("type of other sign", True, [("uint = 0", "int = 0")]),
    Change("byte for bool", True, [("bool = false", "byte = 0")]),
    Change("another element type", True, [("[DevicePair]", "[Device]")]),
    Change("ids of two like fields swapped", True,
           [("(id: 0)", "(id: X)"), ("(id: 1)", "(id: 0)"), ("(id: X)", "(id: 1)")]),
    Change("ids of two unlike fields swapped", True,
           [("(id: 2)", "(id: X)"), ("(id: 5)", "(id: 2)"), ("(id: X)", "(id: 5)")]),
    Change("new field in the middle", True,
           [(f"(id: {i})", f"(id: {i + 1})") for i in range(7, 3, -1)] +
           [("  device_map", "  profile: long = -1 (id: 4);\n  device_map")]),
    Change("Device with an added field", True,
           [("  index: byte;", "  index: byte;\n  slot: byte;")]),
    Change("Device with a removed field", True, [("  index: byte;", "")]),
    Change("Device with a field of another type", True, [("  index: byte;", "  index: ubyte;")]),
    Change("Device with a wider field", True, [("  index: byte;", "  index: short;")]),
    Change("Device with its fields swapped", True,
           [("type: byte", "X: byte"), ("index: byte", "type: byte"), ("X: byte", "index: byte")]),
    Change("DevicePair with an added field", False,
           [("  target: Device;", "  target: Device;\n  weight: int;")]),
    Change("DevicePair a table", True, [("struct DevicePair", "table DevicePair")]),
    Change("DevicePair of higher alignment", False,
           [("struct DevicePair", "struct DevicePair (force_align: 4)")]),
    Change("value removed from an enum", False, [ENUM, ("forward, backward", "forward")]),
    Change("values of an enum swapped", True, [ENUM, ("forward, backward", "backward, forward")]),
    Change("enum of another type", False, [ENUM, ("ubyte", "ushort")]),
]
