# SPDX-License-Identifier: Apache-2.0
"""Messages for tests of programs that read them, and what a program must say of each."""

import random

import wire

IDS = {"context_id": 7, "message_id": (2 << 48) + 7}
FORWARD = {**IDS, "from_worker_id": 2, "wrapped_message_type": 271}
EVERY = {**FORWARD, "device_map": [((1, 0), (1, 1)), ((1, 1), (0, -1))], "retain_graph": 1,
         "rref_created_on": 3, "rref_local_id": 9}


def verdict(message, limit=wire.DEFAULT_LIMIT):
    """The payload's size and the fields; or code, check, field and offset."""
    try:
        payload, fields = wire.read(message, limit)
    except wire.Refused as refused:
        return refused.code, refused.check, refused.field, refused.offset
    return len(payload), fields


def payload_of(size):
    return random.Random(size).randbytes(size) if size < 10_000 else bytes(size)


def flipped(message, at, bits=1):
    changed = bytearray(message)
    changed[at] ^= bits
    return bytes(changed)


def damaged(count, seed):
    """Messages of which most are wrong: in any byte, or in tables whose checksum fits."""
    chance = random.Random(seed)
    for _ in range(count):
        payload = payload_of(chance.randrange(20))
        message = wire.write(payload, chance.choice([FORWARD, EVERY, IDS, {}]))
        table = bytearray(message[len(payload) : -16])
        for _ in range(chance.randint(0, 3)):
            table[chance.randrange(len(table))] = chance.choice([0, 1, 2, 4, 8, 64, 128, 254, 255])
        if chance.random() < 0.8:
            yield wire.seal(payload, bytes(table))
        else:
            yield flipped(message, chance.randrange(len(message)), 1 << chance.randrange(8))
