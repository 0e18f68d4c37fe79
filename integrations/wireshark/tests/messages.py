# SPDX-License-Identifier: Apache-2.0
"""The messages that both processes and the test know, made by the writer in pure Python."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "golden"))
import wire  # noqa: E402
from samples import EVERY, FORWARD, IDS, damaged, flipped, payload_of  # noqa: E402

PREFIXES = {"be32": ">I", "le32": "<I", "be64": ">Q", "le64": "<Q"}


def exchanged():
    """The first is good, as that is by which streams are recognized. Others are damaged; the
    longest is larger than a TCP segment."""
    good = [wire.write(payload_of(size), fields) for size, fields in [
        (5, FORWARD), (0, {}), (100, EVERY), (1024, {"context_id": 7}), (70_000, IDS), (64, EVERY)]]
    newer = flipped(good[0], -12, 3)
    hostile = wire.seal(b"payload", wire.canonical_table({"from_worker_id": -2}))
    return [*good, flipped(good[2], 110, 4), newer, hostile, good[0]]


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


def datagrams():
    golden = sorted((ROOT / "tests" / "golden" / "v1").glob("*.bin"))
    small = [path.read_bytes() for path in golden if path.stat().st_size < 1400]
    return [*small, b"", b"no trailer", wire.MAGIC, *damaged(400, 5)]
