# SPDX-License-Identifier: Apache-2.0
# Tables that readers must accept but no writer of this version produces: FORMAT.md, sections 5, 9.

import struct

import wire

JUNK = 0xEE

IDS = {"context_id": (1 << 48) + 5, "message_id": (2 << 48) + 7}
FORWARD = {**IDS, "from_worker_id": 7, "wrapped_message_type": 0x10F}
SCALARS = {**FORWARD, "retain_graph": 1, "rref_created_on": 3, "rref_local_id": 9}
PAIRS = {"device_map": [((0, -1), (1, 0)), ((1, 0), (1, 1))]}


def lay_out(values, size, root, vtable, at, length=None, slot_count=8, reserved_slots=(),
            object_size=4, fill=JUNK, parts=()):
    """A table of `size` bytes, gaps full of `fill`, with the fields at the positions `at`.

    A field that has a position and no value is stored with its default. `length` is the position
    of the map's length word. The vtable has `slot_count` slots for known fields. With
    `reserved_slots`, zeros follow for every id up to the reserved ones, and then these. Last,
    `parts`, each (position, format, values...), overwrite whatever is there.
    """
    table = bytearray([fill]) * size

    def put(position, code, *numbers):
        struct.pack_into("<" + code, table, position, *numbers)

    put(0, "I4s", root, wire.IDENTIFIER)
    put(root, "i", root - vtable)
    slots = [at.get(f.name, root) - root for f in wire.FIELDS[:slot_count]]
    if reserved_slots:
        slots += [0] * (wire.RESERVED_IDS[0] - len(slots)) + list(reserved_slots)
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
    # Defaults and empty maps are stored, and read as absent.
    "layout_stored_defaults": lay_out(IDS, 88, 28, 8, EVERY_AT, length=80),
    "layout_all_defaults": lay_out({}, 88, 28, 8, EVERY_AT, length=80),
    "layout_empty_map": lay_out(FORWARD, 64, 28, 8, {**FORWARD_AT, "device_map": 56}, length=60),
    # The vtable comes after the root table, so the offset to it is negative.
    "layout_vtable_behind": lay_out(
        {"context_id": 5}, 48, 12, 24, {"context_id": 16}),
    "layout_vtable_behind_map": lay_out(PAIRS, 48, 8, 28, {"device_map": 12}, length=16),
    # The vtable has no slots. A size below 4 doesn't even have room for the size of the object. The
    # only word of the root table is the last one of the buffer.
    "layout_vtable_size_0": lay_out({}, 16, 12, 8, {}, slot_count=0, parts=[(8, "H", 0)]),
    "layout_vtable_size_2": lay_out({}, 16, 12, 8, {}, slot_count=0, parts=[(8, "H", 2)]),
    # Slots after the last present field are stored, as zeros.
    "layout_vtable_untrimmed": lay_out(IDS, 48, 28, 8, {"context_id": 32, "message_id": 40}),
    # Slots of unknown fields point anywhere, and the object's size is wrong.
    "layout_unknown_slots": lay_out(
        IDS, 264, 244, 8, {"context_id": 248, "message_id": 256},
        reserved_slots=(0xFFFF, 1, 0x8001, 3), object_size=0xFFFF),
    # Canonical positions, with junk in the gap before retain_graph and after the last field.
    "layout_junk_gap": lay_out(
        {**IDS, "retain_graph": 1}, 48, 24, 8,
        {"retain_graph": 31, "context_id": 32, "message_id": 40}, slot_count=6, object_size=24),
    "layout_junk_tail": lay_out(
        {"from_worker_id": 7}, 32, 20, 10, {"from_worker_id": 24}, slot_count=3, object_size=8),
    # The map is between the fields.
    "layout_map_inside": lay_out(
        {**IDS, **PAIRS}, 64, 28, 8, {"device_map": 32, "context_id": 48, "message_id": 56},
        length=36),
    # Fields share their bytes.
    "layout_overlap": lay_out(OVERLAP, 40, 28, 8, OVERLAP_AT),
    # The largest trailer within the default limit, with everything far apart.
    "layout_limit": lay_out(
        {**SCALARS, **PAIRS}, 4080, 1000, 4058,
        {"context_id": 4048, "message_id": 2000, "from_worker_id": 3004, "device_map": 1004,
         "wrapped_message_type": 1500, "retain_graph": 2999, "rref_created_on": 2500,
         "rref_local_id": 4000}, length=4036),
    # A writer that knows only context_id and message_id, and doesn't trim its vtable.
    "older_writer_untrimmed": lay_out(
        {"context_id": 5}, 32, 16, 8, {"context_id": 24}, slot_count=2, object_size=16, fill=0),
    # Writers of a later version. The reserved ids 112 and 113 stand for fields that it added: a
    # long, and a string in the first message, bytes in the second.
    "newer_writer": lay_out(
        FORWARD, 296, 240, 8,
        {"from_worker_id": 244, "wrapped_message_type": 248, "context_id": 256, "message_id": 264},
        reserved_slots=(272 - 240, 252 - 240), object_size=44, fill=0,
        parts=[(252, "I", 284 - 252), (272, "q", 1234567890123), (284, "I6s", 5, b"later\0")]),
    "newer_writer_every_field": lay_out(
        {**SCALARS, **PAIRS}, 328, 244, 12,
        {"retain_graph": 251, "from_worker_id": 252, "wrapped_message_type": 256,
         "device_map": 260, "rref_created_on": 264, "context_id": 272, "message_id": 280,
         "rref_local_id": 288},
        length=316, reserved_slots=(296 - 244, 268 - 244), object_size=64, fill=0,
        parts=[(268, "I", 308 - 268), (296, "q", 1234567890123), (308, "I3B", 3, 1, 2, 3)]),
}
