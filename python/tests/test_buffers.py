# SPDX-License-Identifier: Apache-2.0
"""Any buffer, in place: nothing is copied, and what is viewed stays."""

import array
import gc
import mmap
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import gradtail
from gradtail import AutogradMetadata

# 8 bytes of payload, so that the message is a multiple of 8.
MESSAGE = b"payload." + gradtail.trailer(AutogradMetadata(context_id=7), 8)


def mapped() -> mmap.mmap:
    memory = mmap.mmap(-1, len(MESSAGE))
    memory[:] = MESSAGE
    return memory


def numpy(dtype: str, *shape: int) -> Callable[[], Any]:
    return lambda: pytest.importorskip("numpy").frombuffer(MESSAGE, dtype=dtype).reshape(*shape)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: MESSAGE, id="bytes"),
        pytest.param(lambda: bytearray(MESSAGE), id="bytearray"),
        pytest.param(lambda: memoryview(MESSAGE), id="memoryview"),
        pytest.param(lambda: memoryview(b"xx" + MESSAGE)[2:], id="slice"),
        pytest.param(lambda: memoryview(MESSAGE).cast("c"), id="chars"),
        pytest.param(lambda: array.array("d", MESSAGE), id="array of doubles"),
        pytest.param(mapped, id="mmap"),
        pytest.param(numpy("u1", -1), id="numpy bytes"),
        pytest.param(numpy("f4", -1, 2), id="numpy matrix of floats"),
        pytest.param(numpy(">i8", -1), id="numpy of another byte order"),
        pytest.param(numpy("i4,f4", -1), id="numpy of structs"),
    ],
)
def test_any_contiguous_buffer_can_be_opened(make: Callable[[], Any]) -> None:
    view = gradtail.open(make())
    assert bytes(view.payload) == b"payload."
    assert view.metadata == AutogradMetadata(context_id=7)
    assert bytes(view.trailer) == MESSAGE[8:]
    assert (view.payload.format, view.payload.ndim, view.payload.itemsize) == ("B", 1, 1)


@pytest.mark.parametrize("empty", [b"", bytearray(), array.array("d")])
def test_an_empty_buffer_has_no_trailer(empty: bytes) -> None:
    with pytest.raises(gradtail.Absent):
        gradtail.open(empty)


def test_what_has_no_buffer_is_refused() -> None:
    for wrong in ("text", 5, None, [1, 2]):
        with pytest.raises(TypeError):
            gradtail.open(wrong)  # type: ignore[arg-type]
    with pytest.raises(BufferError):
        gradtail.open(memoryview(bytes(100))[::2])


def test_the_payload_is_not_copied() -> None:
    buffer = bytearray(MESSAGE)
    payload = gradtail.open(buffer).payload
    assert payload.obj is buffer
    payload[0] = ord("P")
    assert buffer[:8] == b"Payload."
    assert gradtail.open(MESSAGE).payload.readonly


def test_a_bytearray_can_not_be_resized_while_any_view_lives() -> None:
    buffer = bytearray(MESSAGE)
    message = gradtail.open(buffer)
    with pytest.raises(BufferError):
        buffer.append(0)
    part = message.payload
    metadata = message.metadata
    del message
    with pytest.raises(BufferError):
        buffer.append(0)
    del part
    buffer.append(0)
    assert metadata.context_id == 7


def test_a_refused_message_leaves_its_buffer_free() -> None:
    buffer = bytearray(MESSAGE[:-1])
    with pytest.raises(gradtail.Error) as error:
        gradtail.open(buffer)
    buffer.clear()
    assert error.value.offset == len(MESSAGE) - 5


def test_append_to_a_bytearray_that_is_viewed_changes_nothing() -> None:
    buffer = bytearray(b"payload")
    view = memoryview(buffer)
    with pytest.raises(BufferError):
        gradtail.append(buffer, AutogradMetadata())
    assert buffer == b"payload"
    view.release()
    assert gradtail.append(buffer, AutogradMetadata()) == 32


def test_append_takes_nothing_but_a_bytearray_and_metadata() -> None:
    with pytest.raises(TypeError):
        gradtail.append(b"payload", AutogradMetadata())  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        gradtail.append(bytearray(), {"context_id": 7})  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        gradtail.trailer(AutogradMetadata(), -1)


def test_a_view_keeps_its_buffer_alive() -> None:
    payload = gradtail.open(bytes(bytearray(MESSAGE))).payload
    gc.collect()
    assert bytes(payload) == b"payload."
    matrix = pytest.importorskip("numpy").frombuffer(MESSAGE, dtype="f4").copy().reshape(-1, 2)
    payload = gradtail.open(matrix).payload
    del matrix
    gc.collect()
    assert bytes(payload) == b"payload."


class Named(bytearray):
    """A buffer that can refer to its own view."""

    view: gradtail.MessageView


def test_a_cycle_through_a_view_is_collected() -> None:
    buffer = Named(MESSAGE)
    buffer.view = gradtail.open(buffer)
    gone = weakref.ref(buffer)
    del buffer
    gc.collect()
    assert gone() is None


def test_a_limit_above_the_default_is_a_limit() -> None:
    for limit in (4096, 4097, 65536, 10**6):
        assert bytes(gradtail.open(MESSAGE, limit=limit).payload) == b"payload."
        assert gradtail.open_trailer(MESSAGE[8:], 8, limit=limit).metadata.context_id == 7
    with pytest.raises(gradtail.TooLarge):
        gradtail.open_trailer(MESSAGE[8:], 8, limit=47)
    with pytest.raises(gradtail.TooLarge):
        gradtail.open(MESSAGE, limit=0)
