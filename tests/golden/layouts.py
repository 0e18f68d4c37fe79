# SPDX-License-Identifier: Apache-2.0
# Tables that readers must accept and no writer of this version produces: FORMAT.md, sections 5, 9.

import struct

import wire

JUNK = 0xEE

IDS = {"context_id": (1 << 48) + 5, "message_id": (2 << 48) + 7}
FORWARD = {**IDS, "from_worker_id": 7, "wrapped_message_type": 0x10F}
SCALARS = {**FORWARD, "retain_graph": 1, "rref_created_on": 3, "rref_local_id": 9}
PAIRS = {"device_map": [((0, -1), (1, 0)), ((1, 0), (1, 1))]}


def lay_out(values, size, root, vtable, at, length=None, slot_count=8, more_slots=(),
            object_size=4, fill=JUNK, parts=()):
    """A table of `size` bytes, gaps full of `fill`, with the fields at the positions `at`.

    A field that has a position and no value is stored with its default. `length` is where the
    map's length word stands. The vtable has `slot_count` slots for known fields and then
    `more_slots`. At last `parts`, (position, format, values...), are put over everything.
    """
    table = bytearray([fill]) * size

    def put(position, code, *numbers):
        struct.pack_into("<" + code, table, position, *numbers)

    put(0, "I4s", root, wire.IDENTIFIER)
    put(root, "i", root - vtable)
    slots = [at.get(f.name, root) - root for f in wire.FIELDS[:slot_count]] + list(more_slots)
    put(vtable, f"{2 + len(slots)}H", 4 + 2 * len(slots), object_size, *slots)
    for field in (f for f in wire.FIELDS if f.name in at):
        is_map = field.name == "device_map"
        number = length - at[field.name] if is_map else values.get(field.name, field.default)
        put(at[field.name], field.code, number)
    if length:
        put(length, "I", len(values.get("device_map", [])))
        for i, (source, target) in enumerate(values.get("device_map", [])):
            put(length + 4 + 4 * i, "4b", *source, *target)
    for part in parts:
        put(*part)
    return bytes(table), values


FORWARD_AT = {
    "from_worker_id": 32, "wrapped_message_type": 36, "context_id": 40, "message_id": 48}
EVERY_AT = {
    "context_id": 32, "message_id": 40, "from_worker_id": 48, "wrapped_message_type": 52,
    "device_map": 56, "retain_graph": 60, "rref_created_on": 64, "rref_local_id": 72}
SCALARS_AT = {name: at for name, at in EVERY_AT.items() if name != "device_map"}
OVERLAP = {
    "context_id": (1 << 48) + 5, "message_id": (1 << 48) + 5, "from_worker_id": 1 << 16,
    "wrapped_message_type": 5, "retain_graph": 1, "rref_created_on": 5,
    "rref_local_id": (1 << 48) + 5}
OVERLAP_AT = {
    "context_id": 32, "message_id": 32, "from_worker_id": 36, "wrapped_message_type": 32,
    "retain_graph": 38, "rref_created_on": 32, "rref_local_id": 32}

LAYOUTS = {
    # Fields ascend by id instead of descending by size.
    "layout_field_order": lay_out(SCALARS, 80, 28, 8, SCALARS_AT),
    # Defaults and empty maps are stored, and mean absent.
    "layout_stored_defaults": lay_out(IDS, 88, 28, 8, EVERY_AT, length=80),
    "layout_all_defaults": lay_out({}, 88, 28, 8, EVERY_AT, length=80),
    "layout_empty_map": lay_out(FORWARD, 64, 28, 8, {**FORWARD_AT, "device_map": 56}, length=60),
    # The vtable stands behind the table, so the offset to it is negative.
    "layout_vtable_behind": lay_out(
        {"context_id": 5}, 48, 12, 24, {"context_id": 16}),
    "layout_vtable_behind_map": lay_out(PAIRS, 48, 8, 28, {"device_map": 12}, length=16),
    # The vtable has no slots; below 4 it hasn't even the word for the object's size. The table's
    # only word is the last of the buffer.
    "layout_vtable_size_0": lay_out({}, 16, 12, 8, {}, slot_count=0, parts=[(8, "H", 0)]),
    "layout_vtable_size_2": lay_out({}, 16, 12, 8, {}, slot_count=0, parts=[(8, "H", 2)]),
    # Slots behind the last present field are stored, as zeros.
    "layout_vtable_untrimmed": lay_out(IDS, 48, 28, 8, {"context_id": 32, "message_id": 40}),
    # Slots of unknown fields point anywhere, and the object's size is a lie.
    "layout_unknown_slots": lay_out(
        IDS, 56, 36, 8, {"context_id": 40, "message_id": 48},
        more_slots=(0xFFFF, 1, 0x8001, 3), object_size=0xFFFF),
    # Canonical positions with junk in the gap before retain_graph, and behind the last field.
    "layout_junk_gap": lay_out(
        {**IDS, "retain_graph": 1}, 48, 24, 8,
        {"retain_graph": 31, "context_id": 32, "message_id": 40}, slot_count=6, object_size=24),
    "layout_junk_tail": lay_out(
        {"from_worker_id": 7}, 32, 20, 10, {"from_worker_id": 24}, slot_count=3, object_size=8),
    # The map stands among the fields.
    "layout_map_inside": lay_out(
        {**IDS, **PAIRS}, 64, 28, 8, {"device_map": 32, "context_id": 48, "message_id": 56},
        length=36),
    # Fields share their bytes.
    "layout_overlap": lay_out(OVERLAP, 40, 28, 8, OVERLAP_AT),
    # The largest trailer within the default limit, everything far apart.
    "layout_limit": lay_out(
        {**SCALARS, **PAIRS}, 4080, 1000, 4058,
        {"context_id": 4048, "message_id": 2000, "from_worker_id": 3004, "device_map": 1004,
         "wrapped_message_type": 1500, "retain_graph": 2999, "rref_created_on": 2500,
         "rref_local_id": 4000}, length=4036),
    # A writer that knows context_id and message_id, and doesn't cut its vtable.
    "older_writer_untrimmed": lay_out(
        {"context_id": 5}, 32, 16, 8, {"context_id": 24}, slot_count=2, object_size=16, fill=0),
    # Writers that know a field 8, a long, and a field 9, a string here and bytes there.
    "newer_writer": lay_out(
        FORWARD, 88, 32, 8,
        {"from_worker_id": 36, "wrapped_message_type": 40, "context_id": 48, "message_id": 56},
        more_slots=(64 - 32, 44 - 32), object_size=44, fill=0,
        parts=[(44, "I", 76 - 44), (64, "q", 1234567890123), (76, "I6s", 5, b"later\0")]),
    "newer_writer_every_field": lay_out(
        {**SCALARS, **PAIRS}, 120, 36, 12,
        {"retain_graph": 43, "from_worker_id": 44, "wrapped_message_type": 48, "device_map": 52,
         "rref_created_on": 56, "context_id": 64, "message_id": 72, "rref_local_id": 80},
        length=108, more_slots=(88 - 36, 60 - 36), object_size=64, fill=0,
        parts=[(60, "I", 100 - 60), (88, "q", 1234567890123), (100, "I3B", 3, 1, 2, 3)]),
}
