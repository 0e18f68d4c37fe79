# SPDX-License-Identifier: Apache-2.0
"""Autograd metadata at the tail of RPC messages.

>>> import gradtail
>>> message = bytearray(b"gradients")
>>> gradtail.append(message, gradtail.AutogradMetadata(context_id=7, message_id=8))
56
>>> received = gradtail.open(message)
>>> received.metadata
AutogradMetadata(context_id=7, message_id=8)
>>> bytes(received.payload)
b'gradients'

Bytes that aren't a good message raise an exception that says what to do about it, what is wrong and at
which byte:

>>> gradtail.open(b"just a payload, no trailer")
Traceback (most recent call last):
    ...
gradtail._errors.Absent: absent at byte 22: no trailer: the message is shorter than 16 bytes or doesn't \
end with the magic 47 54 4C A7
"""

from gradtail._core import (
    AutogradMetadata,
    IdGenerator,
    MessageView,
    TrailerView,
    __version__,
    append,
    compose_id,
    id_counter,
    id_worker,
    open,
    open_trailer,
    trailer,
)
from gradtail._devices import Device, DevicePair
from gradtail._errors import (
    Absent,
    Check,
    Code,
    Corrupt,
    Error,
    Field,
    Invalid,
    TooLarge,
    Unsupported,
)

__all__ = [
    "Absent",
    "AutogradMetadata",
    "Check",
    "Code",
    "Corrupt",
    "Device",
    "DevicePair",
    "Error",
    "Field",
    "IdGenerator",
    "Invalid",
    "MessageView",
    "TooLarge",
    "TrailerView",
    "Unsupported",
    "__version__",
    "append",
    "compose_id",
    "id_counter",
    "id_worker",
    "open",
    "open_trailer",
    "trailer",
]
