# SPDX-License-Identifier: Apache-2.0
"""What went wrong, what to do about it, and at which byte."""

import enum


class _Named(enum.Enum):
    """Prints as its bare name, for logs and labels of metrics."""

    def __str__(self) -> str:
        return self.name


class Code(_Named):
    """One code for each thing that a caller can do about it. Numbers never change meaning."""

    absent = 1
    """No trailer: fine if none is due, an error if one is."""
    unsupported = 2
    """The peer is newer, or sends another kind of trailer: upgrade."""
    corrupt = 3
    """Damaged in transit: request a resend."""
    too_large = 4
    """Over the limit: raise the limit, or refuse the peer."""
    invalid = 5
    """Reading: the peer has a bug or is hostile. Writing: correct the metadata."""
    no_space = 6
    """Writing into memory that is too small. No function of this package raises it."""


class Check(_Named):
    """The check that failed. Readers make them in this order, up to values."""

    magic = 1
    version = 2
    required_flags = 3
    trailer_size = 4
    limit = 5
    checksum = 6
    identifier = 7
    layout = 8
    values = 9
    room = 10
    presence = 11


class Field(_Named):
    """The value that isn't allowed, if the check is values."""

    none = 0
    context_id = 1
    message_id = 2
    from_worker_id = 3
    device_map_size = 4
    device_map_type = 5
    device_map_index = 6
    device_map_source = 7
    device_map_target = 8
    retain_graph = 9
    rref_created_on = 10
    rref_local_id = 11
    id_worker = 12
    id_counter = 13
    wrapped_message_type = 14


class Error(ValueError):
    """Why a message or metadata was refused. Catch a subclass for one code of error.

    str() is a whole sentence with the code, the rule, the offset and, where it is one value, what
    was found there.
    """

    code: Code
    """What to do about it."""
    check: Check
    """The first check that failed."""
    field: Field
    """The field whose value isn't allowed; Field.none if no value is wrong."""
    offset: int
    """Reading: the byte in the message that is wrong. Writing: the payload's size. Ids: 0."""

    def __init__(self, code: Code, check: Check, field: Field, offset: int, text: str) -> None:
        super().__init__(code, check, field, offset, text)
        self.code = code
        self.check = check
        self.field = field
        self.offset = offset

    def __str__(self) -> str:
        return str(self.args[-1])


class Absent(Error):
    """There is no trailer: fine if none is due, an error if one is."""


class Unsupported(Error):
    """The peer is newer, or sends another kind of trailer: upgrade."""


class Corrupt(Error):
    """The trailer was damaged in transit: request a resend."""


class TooLarge(Error):
    """The trailer is over the limit: raise the limit, or refuse the peer."""


class Invalid(Error):
    """Reading: the peer has a bug or is hostile. Writing: correct the metadata."""


_CLASSES = {
    Code.absent: Absent,
    Code.unsupported: Unsupported,
    Code.corrupt: Corrupt,
    Code.too_large: TooLarge,
    Code.invalid: Invalid,
}


def error_of(code: int, check: int, field: int, offset: int, text: str) -> Error:
    """The exception of an error of the library, which gives numbers."""
    error = _CLASSES.get(Code(code), Error)
    return error(Code(code), Check(check), Field(field), offset, text)
