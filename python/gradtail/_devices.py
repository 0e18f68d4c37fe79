# SPDX-License-Identifier: Apache-2.0
"""Devices of device maps."""

from typing import NamedTuple


class Device(NamedTuple):
    """A device of a worker."""

    type: int
    """Number as in c10::DeviceType: 0 is cpu, 1 is cuda. 0..63."""
    index: int = -1  # type: ignore[assignment]  # hides tuple.index
    """0..127, or -1 for none given."""


class DevicePair(NamedTuple):
    """The sender's device, and the receiver's device that it maps to."""

    source: Device
    target: Device
