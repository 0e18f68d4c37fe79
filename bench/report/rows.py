# SPDX-License-Identifier: Apache-2.0
"""How rows are ordered and called in tables and charts, and what their readers leave unchecked."""
import re

# Those of gradtail first, then from the least to the most.
ORDER = """
loop
write/write_trailer
write/Trailer
write/append
write/write_trailer, 8 pairs
write/write_trailer, 128 pairs
write/write_trailer, static
write/write_trailer, static, portable CRC
write/struct
write/floor
write/floor, append
write/FlatBufferBuilder, reused
write/FlatBufferBuilder, fresh
write/Protobuf
write/msgpack
write/Cap'n Proto
write/PyTorch
read/open
read/open, misaligned
read/open, 2 segments
read/open, 2 segments, straddling
read/strip
read/open, 8 pairs
read/open, 128 pairs
read/open, static
read/open, static, portable CRC
read/struct
read/floor
read/FlatBuffers Verifier
read/Protobuf
read/msgpack
read/Cap'n Proto
read/PyTorch
""".strip().splitlines()

# The peers' table has gradtail's footer around it, but for struct, floor and PyTorch.
NOT_CHECKED = {
    "read/struct": "anything",
    "read/floor": "ranges; takes no other fields, no other layout",
    "read/FlatBuffers Verifier": "ranges",
    "read/Protobuf": "ranges, that all fields are there",
    "read/msgpack": "ranges, elements behind the fourth",
    "read/Cap'n Proto": "ranges, bytes behind the table",
    "read/PyTorch": "damage (no magic, version or checksum), ranges; copies the payload",
}

# One line of a chart and of the README's table: name, row that writes, row that reads.
PEERS = [
    ("struct, unchecked", "write/struct", "read/struct"),
    ("floor", "write/floor", "read/floor"),
    ("gradtail", "write/write_trailer", "read/open"),
    ("msgpack", "write/msgpack", "read/msgpack"),
    ("Protobuf", "write/Protobuf", "read/Protobuf"),
    ("FlatBuffers by hand", "write/FlatBufferBuilder, reused", "read/FlatBuffers Verifier"),
    ("Cap'n Proto", "write/Cap'n Proto", "read/Cap'n Proto"),
    ("PyTorch", "write/PyTorch", "read/PyTorch"),
]

GRADTAIL = re.compile(r"(write/(write_trailer|Trailer|append)|read/(open|strip)|reject/)")


def is_gradtail(name):
    return GRADTAIL.match(name) is not None


def floor_of(name):
    return "write/floor" if name.startswith("write/") else "read/floor"


def sort_key(name):
    """ORDER, then what is not in it by name, sizes as numbers."""
    place = ORDER.index(name) if name in ORDER else len(ORDER)
    return place, [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def label(name):
    """The name with a size in bytes in its usual unit."""
    start, slash, size = name.rpartition("/")
    if not size.isdigit():
        return name
    value, unit = int(size), 0
    while value >= 1024:
        value, unit = value // 1024, unit + 1
    return f"{start}, {value} {['B', 'KiB', 'MiB'][unit]}"
