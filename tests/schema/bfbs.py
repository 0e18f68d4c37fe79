# SPDX-License-Identifier: Apache-2.0
# Reads what flatc says of a schema (flatc --schema --binary), as far as the wire depends on it.

import struct
from collections import namedtuple

# `types` has a Struct, Table or Enum for each name. All compare by value.
Schema = namedtuple("Schema", "identifier root types")
Struct = namedtuple("Struct", "alignment size fields")
Table = namedtuple("Table", "fields")
Enum = namedtuple("Enum", "type is_union values")
Field = namedtuple("Field", "id type offset default required deprecated optional key")

# Numbers of reflection::BaseType.
VECTOR, OBJECT, ARRAY = 14, 15, 17


class Reader:
    """One table of a FlatBuffers buffer that is trusted. Fields are named by their ids."""

    def __init__(self, data, at):
        self.data, self.at = data, at
        self.vtable = at - self.number_at("i", at)

    def number_at(self, code, at):
        return struct.unpack_from("<" + code, self.data, at)[0]

    def position(self, field):
        slot = 4 + 2 * field
        if slot >= self.number_at("H", self.vtable):
            return None
        offset = self.number_at("H", self.vtable + slot)
        return self.at + offset if offset else None

    def number(self, field, code, default=0):
        at = self.position(field)
        return default if at is None else self.number_at(code, at)

    def target(self, field):
        at = self.position(field)
        return None if at is None else at + self.number_at("I", at)

    def text(self, field):
        at = self.target(field)
        return "" if at is None else self.data[at + 4 : at + 4 + self.number_at("I", at)].decode()

    def table(self, field):
        at = self.target(field)
        return None if at is None else Reader(self.data, at)

    def tables(self, field):
        start = self.target(field)
        if start is None:
            return []
        ats = [start + 4 + 4 * i for i in range(self.number_at("I", start))]
        return [Reader(self.data, at + self.number_at("I", at)) for at in ats]


def type_of(reader, objects, enums):
    """Numbers of the type and of its elements, the name of what they refer to, the array's size."""
    base, element, index = (reader.number(i, code, d) for i, code, d in
                            ((0, "b", 0), (1, "b", 0), (2, "i", -1)))
    innermost = element if base in (VECTOR, ARRAY) else base
    names = objects if innermost == OBJECT else enums
    return base, element, names[index] if index >= 0 else None, reader.number(3, "H")


def field_of(reader, objects, enums):
    return Field(id=reader.number(2, "H"), type=type_of(reader.table(1), objects, enums),
                 offset=reader.number(3, "H"),
                 default=(reader.number(4, "q"), reader.number(5, "d")),
                 deprecated=reader.number(6, "B"), required=reader.number(7, "B"),
                 key=reader.number(8, "B"), optional=reader.number(11, "B"))


def object_of(reader, objects, enums):
    fields = {f.text(0): field_of(f, objects, enums) for f in reader.tables(1)}
    if reader.number(2, "B"):
        return Struct(reader.number(3, "i"), reader.number(4, "i"), fields)
    return Table(fields)


def enum_of(reader, objects, enums):
    values = {value.text(0): value.number(1, "q") for value in reader.tables(1)}
    return Enum(type_of(reader.table(3), objects, enums), reader.number(2, "B"), values)


def parse(data):
    """The Schema in the bytes of a .bfbs file."""
    root = Reader(data, struct.unpack_from("<I", data)[0])
    objects = [reader.text(0) for reader in root.tables(0)]
    enums = [reader.text(0) for reader in root.tables(1)]
    types = {reader.text(0): object_of(reader, objects, enums) for reader in root.tables(0)}
    types |= {reader.text(0): enum_of(reader, objects, enums) for reader in root.tables(1)}
    root_table = root.table(4)
    return Schema(root.text(2), root_table.text(0) if root_table else "", types)
