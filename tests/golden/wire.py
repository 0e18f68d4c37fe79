# SPDX-License-Identifier: Apache-2.0
# A writer and a reader of the wire format, written from schema/FORMAT.md without any code of the
# library. It is simple, not fast. Sections are those of FORMAT.md.

import struct
from collections import namedtuple

VERSION = 1
MAGIC = b"\x47\x54\x4c\xa7"
IDENTIFIER = b"AGMD"
FOOTER_SIZE = 16
MIN_TRAILER_SIZE = 32
DEFAULT_LIMIT = 4096
MAX_PAIRS = 128
RESERVED_IDS = range(112, 128)  # section 3: only tests use them

# Section 3. `code` is the type as in the struct module; `low` to `high` are the values that may be
# stored, including the default. For device_map, `code` is the type of the offset to the map.
Field = namedtuple("Field", "id name size code default low high")
FIELDS = (
    Field(0, "context_id", 8, "q", -1, -1, 2**63 - 1),
    Field(1, "message_id", 8, "q", -1, -1, 2**63 - 1),
    Field(2, "from_worker_id", 4, "i", -1, -1, 2**31 - 1),
    Field(3, "wrapped_message_type", 4, "I", 0, 0, 2**32 - 1),
    Field(4, "device_map", 4, "I", None, None, None),
    Field(5, "retain_graph", 1, "B", 0, 0, 1),
    Field(6, "rref_created_on", 4, "i", -1, -1, 2**31 - 1),
    Field(7, "rref_local_id", 8, "q", -1, -1, 2**63 - 1),
)


class Refused(Exception):
    """A message that must not be accepted: section 6 lists code, check, field and offset."""

    def __init__(self, code, check, offset, field="none"):
        super().__init__(f"{code}: {check}, field {field}, offset {offset}")
        self.code, self.check, self.offset, self.field = code, check, offset, field


def crc32c(data):
    """CRC-32C (Castagnoli), bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


# Writing


def align_up(n, unit):
    return (n + unit - 1) // unit * unit


def stored(fields):
    """The entries of FIELDS whose value in `fields` isn't the default."""
    return [f for f in FIELDS if fields.get(f.name, f.default) not in (f.default, [])]


def distances(present, pair_count):
    """The distance from the end of the table to each item: section 4, steps 1 to 5."""
    at = {"length": 4 * pair_count + 4 if pair_count else 0}
    d = at["length"]
    for field in sorted(present, key=lambda f: (f.size, f.id), reverse=True):
        d = at[field.name] = align_up(d + field.size, field.size)
    at["table"] = align_up(d + 4, 4)
    slot_count = max((f.id + 1 for f in present), default=0)
    at["vtable"] = at["table"] + 4 + 2 * slot_count
    largest = max([f.size for f in present] + [4])
    at["start"] = align_up(at["vtable"] + 8, largest)
    return at


def canonical_table(fields):
    """The only table that a writer may produce for these fields: section 4."""
    pairs = sorted(fields.get("device_map", []))
    present = stored(fields)
    at = distances(present, len(pairs))
    table = bytearray(at["start"])

    def put(distance, code, *values):
        struct.pack_into("<" + code, table, at["start"] - distance, *values)

    put(at["start"], "I4s", at["start"] - at["table"], IDENTIFIER)
    put(at["vtable"], "HH", at["vtable"] - at["table"], at["table"] - at["length"])
    put(at["table"], "i", at["vtable"] - at["table"])
    for field in present:
        distance = at[field.name]
        put(at["vtable"] - 4 - 2 * field.id, "H", at["table"] - distance)
        is_map = field.name == "device_map"
        put(distance, field.code, distance - at["length"] if is_map else fields[field.name])
    if pairs:
        put(at["length"], "I", len(pairs))
    for i, (source, target) in enumerate(pairs):
        put(at["length"] - 4 - 4 * i, "4b", *source, *target)
    return bytes(table)


def checksum(table, head, payload_size):
    """Section 2: over the table, the footer's first 8 bytes and the payload's size."""
    return crc32c(table + head + struct.pack("<Q", payload_size))


def seal(payload, table):
    """A message of any payload and any table: pads the table to 8 bytes and adds the footer."""
    table += bytes(-len(table) % 8)
    head = struct.pack("<IHH", len(table) + FOOTER_SIZE, VERSION, 0)
    crc = checksum(table, head, len(payload))
    return payload + table + head + struct.pack("<I", crc) + MAGIC


def write(payload, fields):
    """The message that every writer must produce for this payload and these fields."""
    return seal(payload, canonical_table(fields))


# Reading


def word(data, position, code):
    return struct.unpack_from("<" + code, data, position)[0]


def check_footer(message, limit, detached_payload_size=None):
    """Section 6, checks 1 to 6. Returns the trailer's size. If the size of the payload is given,
    `message` is only the trailer: section 11."""
    n = len(message)

    def need(ok, code, check, offset):
        if not ok:
            raise Refused(code, check, offset)

    need(n >= FOOTER_SIZE, "absent", "magic", 0)
    need(message[-4:] == MAGIC, "absent", "magic", n - 4)
    size, version, flags, crc = struct.unpack_from("<IHHI", message, n - 16)
    need(version == VERSION, "unsupported", "version", n - 12)
    need(flags == 0, "unsupported", "required_flags", n - 10)
    is_detached = detached_payload_size is not None
    fits = size == n if is_detached else size <= n
    fits = fits and size >= MIN_TRAILER_SIZE and size % 8 == 0
    need(fits, "corrupt", "trailer_size", n - 16)
    need(size <= limit, "too_large", "limit", n - 16)
    table, head = message[n - size : n - 16], message[n - 16 : n - 8]
    payload_size = detached_payload_size if is_detached else n - size
    need(crc == checksum(table, head, payload_size), "corrupt", "checksum", n - 8)
    return size


def find_fields(table):
    """The position of each stored field in the table, or None if section 5 doesn't accept it."""

    def inside(position, size):
        return 0 <= position <= len(table) - size

    root = word(table, 0, "I")
    if root == 0 or root % 4 or not inside(root, 4):
        return None
    vtable = root - word(table, root, "i")
    if vtable % 2 or not inside(vtable, 2):
        return None
    vtable_size = word(table, vtable, "H")
    if vtable_size % 2 or not inside(vtable, vtable_size):
        return None
    positions = {}
    for field in FIELDS:
        entry = 4 + 2 * field.id
        slot = word(table, vtable + entry, "H") if entry < vtable_size else 0
        if slot and ((root + slot) % field.size or not inside(root + slot, field.size)):
            return None
        if slot:
            positions[field.name] = root + slot
    return positions


def find_map(table, position):
    """The position of the map's length word, or None if section 5 doesn't accept it."""
    offset = word(table, position, "I")
    length = position + offset
    if not 0 < offset < 2**31 or length % 4 or length > len(table) - 4:
        return None
    return length if word(table, length, "I") <= (len(table) - length - 4) // 4 else None


def check_pair(pair, previous):
    """What is wrong with one pair that follows the pairs `previous`, or None."""
    (source_type, source_index), (target_type, target_index) = pair
    if not (0 <= source_type <= 63 and 0 <= target_type <= 63):
        return "device_map_type"
    if source_index < -1 or target_index < -1:
        return "device_map_index"
    if previous and pair[0] <= previous[-1][0]:
        return "device_map_source"
    return None


def read_map(table, length, base):
    """The map with its length word at `length`; `base` is the table's offset in the message."""
    count = word(table, length, "I")
    if count > MAX_PAIRS:
        raise Refused("invalid", "values", base + length, "device_map_size")
    pairs = []
    for i in range(count):
        at = length + 4 + 4 * i
        numbers = struct.unpack_from("<4b", table, at)
        pair = (numbers[:2], numbers[2:])
        wrong = check_pair(pair, pairs)
        if wrong:
            raise Refused("invalid", "values", base + at, wrong)
        pairs.append(pair)
    targets = [target for _, target in pairs]
    for i, target in enumerate(targets):
        if target in targets[:i]:
            raise Refused("invalid", "values", base + length + 4 + 4 * i, "device_map_target")
    return pairs


def read_fields(table, base):
    """The fields of a table, except those that hold their default: checks 7 to 9."""
    if table[4:8] != IDENTIFIER:
        raise Refused("unsupported", "identifier", base + 4)
    positions = find_fields(table)
    map_at = None
    if positions and "device_map" in positions:
        map_at = find_map(table, positions["device_map"])
    if positions is None or ("device_map" in positions and map_at is None):
        raise Refused("invalid", "layout", base)
    fields = {}
    for field in FIELDS:
        at = positions.get(field.name)
        if at is None:
            continue
        if field.name == "device_map":
            value = read_map(table, map_at, base)
        else:
            value = word(table, at, field.code)
            if not field.low <= value <= field.high:
                raise Refused("invalid", "values", base + at, field.name)
        if value not in (field.default, []):
            fields[field.name] = value
    return fields


def read(message, limit=DEFAULT_LIMIT):
    """The payload and the fields of an untrusted message, or raises Refused."""
    size = check_footer(message, limit)
    base = len(message) - size
    return message[:base], read_fields(message[base:-FOOTER_SIZE], base)


def read_detached(trailer, payload_size, limit=DEFAULT_LIMIT):
    """The fields of an untrusted trailer that travels without its payload, or raises Refused."""
    check_footer(trailer, limit, payload_size)
    return read_fields(trailer[:-FOOTER_SIZE], 0)
