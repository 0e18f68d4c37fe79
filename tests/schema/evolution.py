# SPDX-License-Identifier: Apache-2.0
# What a later schema may change: FORMAT.md, section 9. Everything else is an error, in a sentence.

from bfbs import Enum, Table


def differences(name, old, new):
    """What differs in two namedtuples of one type."""
    for attribute, before, after in zip(old._fields, old, new):
        if before != after:
            yield f"{name}: its {attribute} was {before}, is {after}"


def struct_errors(name, old, new):
    yield from differences(name, old._replace(fields=None), new._replace(fields=None))
    for field in sorted(old.fields.keys() | new.fields.keys()):
        if old.fields.get(field) != new.fields.get(field):
            yield f"{name}.{field} differs, but structs never change"


def table_errors(name, old, new):
    for field, before in old.fields.items():
        if field in new.fields:
            yield from differences(f"{name}.{field}", before, new.fields[field])
        else:
            yield f"{name}.{field} is gone"
    added = {field: now for field, now in new.fields.items() if field not in old.fields}
    last_id = max((field.id for field in old.fields.values()), default=-1)
    for field, now in added.items():
        if now.id <= last_id:
            yield f"{name}.{field} is new, but its id {now.id} is not"
        if now.required:
            yield f"{name}.{field} is new, so older writers don't send it: it can't be required"


def enum_errors(name, old, new):
    if (old.type, old.is_union) != (new.type, new.is_union):
        yield f"{name} has another type"
    for value, number in old.values.items():
        if new.values.get(value) != number:
            yield f"{name}.{value} was {number}, is {new.values.get(value)}"


def type_errors(name, old, new):
    if type(old) is not type(new):
        yield f"{name} is gone, or of another kind"
    elif isinstance(old, Table):
        yield from table_errors(name, old, new)
    elif isinstance(old, Enum):
        yield from enum_errors(name, old, new)
    else:
        yield from struct_errors(name, old, new)


def errors(old, new):
    """Everything of Schema `new` that peers with Schema `old` would misread or refuse."""
    if new.identifier != old.identifier:
        yield f"the file identifier was {old.identifier!r}, is {new.identifier!r}"
    if new.root != old.root:
        yield f"the root type was {old.root}, is {new.root}"
    for name, before in old.types.items():
        yield from type_errors(name, before, new.types.get(name))
