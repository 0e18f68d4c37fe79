# SPDX-License-Identifier: Apache-2.0
"""The package and a reader and writer in pure Python agree on every message, good or bad."""

import csv
import pathlib
import random
from typing import Any

import pytest
import samples
import wire
from hypothesis import given, settings
from hypothesis import strategies as st

import gradtail

GOLDEN = pathlib.Path(wire.__file__).parent / "v1"
MESSAGES = [path.read_bytes() for path in sorted(GOLDEN.glob("*.bin"))]
SMALL = [message for message in MESSAGES if len(message) < 200]


def fields_of(metadata: gradtail.AutogradMetadata) -> dict[str, Any]:
    """The fields that are set, as the pure-Python reader gives them."""
    values = {field.name: getattr(metadata, field.name) for field in wire.FIELDS}
    values["device_map"] = [tuple(map(tuple, pair)) for pair in values["device_map"]]
    return {f.name: values[f.name] for f in wire.FIELDS if values[f.name] not in (f.default, [])}


def verdict(message: bytes, limit: int) -> tuple[Any, ...]:
    """The same as samples.verdict()."""
    try:
        opened = gradtail.open(message, limit=limit)
    except gradtail.Error as e:
        assert type(e).__name__ == e.code.name.title().replace("_", "")
        return (e.code.name, e.check.name, e.field.name, e.offset)
    assert message.startswith(opened.payload)
    return len(opened.payload), fields_of(opened.metadata)


def agree(message: bytes, limit: int = wire.DEFAULT_LIMIT) -> None:
    assert verdict(message, limit) == samples.verdict(message, limit)


def integers(low: int, high: int) -> st.SearchStrategy[int]:
    return st.integers(low, high) | st.sampled_from([low, high])


def field_values(field: Any) -> st.SearchStrategy[Any]:
    if field.name != "device_map":
        return integers(field.low, field.high)
    device = st.tuples(integers(0, 63), integers(-1, 127))
    return st.lists(
        st.tuples(device, device),
        max_size=wire.MAX_PAIRS,
        unique_by=(lambda pair: pair[0], lambda pair: pair[1]),
    )


FIELDS = st.fixed_dictionaries({}, optional={f.name: field_values(f) for f in wire.FIELDS})


@given(st.binary(max_size=64), FIELDS)
def test_both_write_the_same_bytes(payload: bytes, fields: dict[str, Any]) -> None:
    buffer = bytearray(payload)
    metadata = gradtail.AutogradMetadata(**fields)
    size = gradtail.append(buffer, metadata)
    assert buffer == wire.write(payload, fields)
    assert gradtail.trailer(metadata, len(payload)) == buffer[-size:]
    agree(bytes(buffer))


def test_both_read_the_golden_messages() -> None:
    assert len(MESSAGES) > 150
    for message in MESSAGES:
        agree(message)
    with (GOLDEN / "golden.tsv").open() as table:
        rows = csv.DictReader(table, delimiter="\t")
        sizes = {row["name"]: int(row["payload_size"]) for row in rows}
    for path in GOLDEN.glob("*.bin"):
        assert len(gradtail.open(path.read_bytes()).payload) == sizes[path.stem]


@given(st.binary(max_size=200))
def test_both_refuse_noise(noise: bytes) -> None:
    agree(noise)
    agree(noise + wire.MAGIC)


@settings(max_examples=1000)
@given(st.sampled_from(SMALL), st.integers(0), st.binary(min_size=1, max_size=4))
def test_both_judge_damage_alike(message: bytes, at: int, damage: bytes) -> None:
    at %= len(message)
    agree(message[:at] + damage + message[at + len(damage) :])
    agree(message[at:])
    agree(message[:at])


@settings(max_examples=1000)
@given(
    st.sampled_from(SMALL),
    st.lists(st.tuples(st.integers(0, 7), st.integers(0), st.integers(0, 255)), max_size=3),
    st.integers(0, 5000),
)
def test_both_judge_tables_of_a_hostile_sender_alike(
    message: bytes, pokes: list[tuple[int, int, int]], limit: int
) -> None:
    """The checksum is made to fit, so that the checks behind it decide."""
    size = int.from_bytes(message[-16:-12], "little")
    table = bytearray(message[len(message) - size : -16])
    for kind, where, value in pokes:
        # Half of them into the first bytes, where the root, vtable and slots are.
        table[where % (40 if kind < 4 and len(table) > 40 else len(table))] = value
    agree(wire.seal(message[: len(message) - size], bytes(table)), limit)


@pytest.mark.parametrize("seed", range(4))
def test_both_judge_maps_of_a_hostile_sender_alike(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(200):
        pairs = []
        for i in range(chance.randint(1, 6)):
            low = chance.choice([-2, -1, 0])
            pairs.append(((1, i + low), (chance.choice([1, 1, 64]), chance.choice([i, 0, -2]))))
        table = bytearray(wire.canonical_table({"device_map": pairs}))
        if chance.random() < 0.5:  # out of order
            table[-4:], table[-8:-4] = table[-8:-4], table[-4:]
        agree(wire.seal(b"payload", bytes(table)))
