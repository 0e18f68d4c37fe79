# SPDX-License-Identifier: Apache-2.0
"""The messages that both processes and the test know, made by the writer in pure Python."""

import pathlib
import random
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "golden"))
import wire  # noqa: E402

PREFIXES = {"be32": ">I", "le32": "<I", "be64": ">Q", "le64": "<Q"}
IDS = {"context_id": 7, "message_id": (2 << 48) + 7}
FORWARD = {**IDS, "from_worker_id": 2, "wrapped_message_type": 271}
DEVICES = {"device_map": [((1, 0), (1, 1)), ((1, 1), (0, -1))]}
EVERY = {**FORWARD, **DEVICES, "retain_graph": 1, "rref_created_on": 3, "rref_local_id": 9}


def payload_of(size):
    return random.Random(size).randbytes(size) if size < 10_000 else bytes(size)


def exchanged():
    """The first is good, as that is by which streams are recognized. Others are damaged; the
    longest is larger than a TCP segment."""
    good = [wire.write(payload_of(size), fields) for size, fields in [
        (5, FORWARD), (0, {}), (100, EVERY), (1024, {"context_id": 7}), (70_000, IDS), (64, EVERY)]]
    flipped = bytearray(good[2])
    flipped[110] ^= 4
    newer = bytearray(good[0])
    newer[-12] = 2
    hostile = wire.seal(b"payload", wire.canonical_table({"from_worker_id": -2}))
    return [*good, bytes(flipped), bytes(newer), hostile, good[0]]


def frames(number, message):
    """The frames of a ZeroMQ message: payload and trailer apart, if they can be told apart."""
    size = int.from_bytes(message[-16:-12], "little")
    payload, trailer = message[: len(message) - size], message[len(message) - size :]
    if number % 3 == 1:
        return [payload, trailer]
    if number % 3 == 2:
        half = len(payload) // 2
        return [payload[:half], payload[half:], trailer]
    return [message]


def damaged(count, seed):
    """Messages of which most are wrong: in any byte, or in tables whose checksum fits."""
    chance = random.Random(seed)
    for _ in range(count):
        payload = payload_of(chance.randrange(20))
        message = bytearray(wire.write(payload, chance.choice([FORWARD, EVERY, IDS, {}])))
        table = bytearray(message[len(payload) : -16])
        for _ in range(chance.randint(0, 3)):
            table[chance.randrange(len(table))] = chance.choice([0, 1, 2, 4, 8, 64, 128, 254, 255])
        if chance.random() < 0.8:
            message = bytearray(wire.seal(payload, bytes(table)))
        else:
            message[chance.randrange(len(message))] ^= 1 << chance.randrange(8)
        yield bytes(message)


def datagrams():
    golden = sorted((ROOT / "tests" / "golden" / "v1").glob("*.bin"))
    small = [path.read_bytes() for path in golden if path.stat().st_size < 1400]
    return [*small, b"", b"no trailer", wire.MAGIC, *damaged(400, 5)]
