# SPDX-License-Identifier: Apache-2.0
"""Writing and opening, what the errors say, and that metadata is a value."""

import copy
import pickle
import threading

import pytest
import wire

import gradtail
from gradtail import AutogradMetadata, Check, Code, Device, DevicePair, Field

EVERY_FIELD = AutogradMetadata(
    context_id=(1 << 48) + 5,
    message_id=(2 << 48) + 7,
    from_worker_id=2,
    wrapped_message_type=271,
    device_map={(1, 1): (1, 0), (1, 0): (1, 1)}.items(),
    retain_graph=True,
    rref_created_on=3,
    rref_local_id=9,
)


def message_of(metadata: AutogradMetadata, payload: bytes = b"hello") -> bytearray:
    message = bytearray(payload)
    gradtail.append(message, metadata)
    return message


def test_a_detached_trailer_is_opened_with_the_size_of_its_payload() -> None:
    trailer = gradtail.trailer(EVERY_FIELD, 5)
    view = gradtail.open_trailer(trailer, 5)
    assert view.metadata == gradtail.open(b"hello" + trailer).metadata
    assert bytes(view.trailer) == trailer
    with pytest.raises(gradtail.Corrupt) as error:
        gradtail.open_trailer(trailer, payload_size=6)
    assert (error.value.check, error.value.offset) == (Check.checksum, len(trailer) - 8)
    assert str(error.value).endswith(f"; found {trailer[-8:-4].hex(' ').upper()}")
    with pytest.raises(gradtail.Corrupt) as error:
        gradtail.open_trailer(b"hello" + trailer, 0)
    assert (error.value.check, error.value.offset) == (Check.trailer_size, len(trailer) + 5 - 16)


def test_stacked_trailers_come_off_one_by_one() -> None:
    message = message_of(AutogradMetadata(context_id=1))
    gradtail.append(message, AutogradMetadata(context_id=2))
    outer = gradtail.open(message)
    inner = gradtail.open(outer.payload)
    assert (outer.metadata.context_id, inner.metadata.context_id) == (2, 1)
    assert bytes(inner.payload) == b"hello"


def test_an_error_has_its_code_check_field_and_offset() -> None:
    message = bytearray(wire.seal(b"hello", wire.canonical_table({"from_worker_id": -2})))
    with pytest.raises(gradtail.Invalid) as error:
        gradtail.open(message)
    refused = error.value
    assert isinstance(refused, gradtail.Error)
    assert isinstance(refused, ValueError)
    assert refused.code is Code.invalid
    assert refused.check is Check.values
    assert refused.field is Field.from_worker_id
    assert message[refused.offset : refused.offset + 4] == b"\xfe\xff\xff\xff"
    assert str(refused) == (
        f"invalid at byte {refused.offset}: from_worker_id must be 0..2^31-1, or -1 for absent"
        "; found -2"
    )
    assert f"{refused.code} {refused.check} {refused.field}" == "invalid values from_worker_id"


def test_exceptions_can_be_pickled() -> None:
    with pytest.raises(gradtail.Absent) as error:
        gradtail.open(b"")
    copied = pickle.loads(pickle.dumps(error.value))
    assert type(copied) is gradtail.Absent
    assert (str(copied), copied.offset) == (str(error.value), 0)


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        (AutogradMetadata(rref_local_id=-3), Field.rref_local_id),
        (AutogradMetadata(device_map=[((1, 0), (1, -2))]), Field.device_map_index),
        (AutogradMetadata(device_map=[((1, i), (1, 0)) for i in (0, 1)]), Field.device_map_target),
    ],
)
def test_writing_a_value_out_of_range_changes_nothing(
    metadata: AutogradMetadata, field: Field
) -> None:
    message = bytearray(b"hello")
    with pytest.raises(gradtail.Invalid) as error:
        gradtail.append(message, metadata)
    assert (error.value.field, error.value.offset) == (field, 5)
    assert message == b"hello"
    with pytest.raises(gradtail.Invalid) as error:
        gradtail.trailer(metadata, 12)
    assert (error.value.field, error.value.offset) == (field, 12)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("context_id", 2**63),
        ("message_id", -(2**63) - 1),
        ("from_worker_id", 2**31),
        ("wrapped_message_type", 2**32),
        ("wrapped_message_type", -1),
        ("retain_graph", 2),
        ("rref_created_on", 10**30),
        ("rref_local_id", 2**63),
        ("device_map", [((1, 128), (1, 0))]),
        ("device_map", [((1, 0), (-129, 0))]),
    ],
)
def test_a_number_that_its_field_can_not_hold_is_invalid_at_once(field: str, value: object) -> None:
    with pytest.raises(gradtail.Invalid) as error:
        AutogradMetadata(**{field: value})  # type: ignore[arg-type]
    assert (error.value.check, error.value.offset) == (Check.values, 0)
    assert field in str(error.value)
    assert "at byte" not in str(error.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("context_id", "7"),
        ("context_id", 7.0),
        ("context_id", None),
        ("device_map", 5),
        ("device_map", [1]),
        ("device_map", [((1, 0),)]),
        ("device_map", [((1, 0, 0), (1, 0))]),
        ("no_such_field", 1),
    ],
)
def test_other_types_are_refused(field: str, value: object) -> None:
    with pytest.raises(TypeError):
        AutogradMetadata(**{field: value})  # type: ignore[arg-type]


def test_an_error_of_the_iterator_of_a_device_map_passes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        AutogradMetadata(device_map=(((1, i), (1, 1 // i)) for i in range(1, -1, -1)))


def test_metadata_is_an_immutable_value() -> None:
    same = copy.deepcopy(EVERY_FIELD)
    assert same == EVERY_FIELD
    assert hash(same) == hash(EVERY_FIELD)
    assert same.device_map[0] == DevicePair(Device(1, 1), Device(1, 0))
    assert same.device_map[0].target.index == 0
    assert pickle.loads(pickle.dumps(EVERY_FIELD)) == EVERY_FIELD
    assert eval(repr(EVERY_FIELD), vars(gradtail)) == EVERY_FIELD
    assert EVERY_FIELD != AutogradMetadata()
    assert EVERY_FIELD != "another type"
    with pytest.raises(AttributeError):
        EVERY_FIELD.context_id = 1  # type: ignore[misc]
    assert str(AutogradMetadata(context_id=(1 << 48) + 5)) == (
        "{context_id: 281474976710661 (worker 1, counter 5)}"
    )


def test_ids_have_a_worker_and_a_counter() -> None:
    assert gradtail.compose_id(3, 1) == 3 << 48 | 1
    assert gradtail.id_worker(3 << 48 | 1) == 3
    assert gradtail.id_counter(3 << 48 | 1) == 1
    assert gradtail.id_worker(-1) == -1
    with pytest.raises(gradtail.Invalid) as error:
        gradtail.compose_id(32768, 0)
    assert error.value.field is Field.id_worker
    with pytest.raises(gradtail.Invalid) as error:
        gradtail.compose_id(0, 2**48 - 1)
    assert error.value.field is Field.id_counter


def test_a_generator_gives_each_id_once_to_any_number_of_threads() -> None:
    ids = gradtail.IdGenerator(3, first=10)
    got: list[int] = []

    def take() -> None:
        got.extend(ids.next() for _ in range(1000))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [3 << 48 | counter for counter in range(10, 4010)]
    exhausted = gradtail.IdGenerator(0, first=2**48 - 2)
    exhausted.next()
    with pytest.raises(gradtail.Invalid):
        exhausted.next()
