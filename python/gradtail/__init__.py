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

Bytes that aren't a valid message raise an exception that says what is wrong, at which byte, and by
its class what to do about it:

>>> gradtail.open(b"just a payload, no trailer")  # doctest: +ELLIPSIS
Traceback (most recent call last):
    ...
gradtail.Absent: absent at byte 22: no trailer...
"""

from gradtail._core import (
    AutogradMetadata,
    IdGenerator,
    MessageView,
    TrailerView,
    append,
    compose_id,
    id_counter,
    id_worker,
    open,
    open_trailer,
    trailer,
)
from gradtail._core import version as __version__
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

# One place to look for each name, for tracebacks and pickles.
for _name in __all__:
    if isinstance(globals()[_name], type):
        globals()[_name].__module__ = __name__
