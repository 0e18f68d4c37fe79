#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every field that PyTorch puts into a message comes back, in each mode, and the message keeps its
bytes.

Usage: round_trip_test.py LIBGRADTAIL_PYTORCH.SO ROUND_TRIP.SO
"""
import ctypes
import unittest

import workers

FORWARD, BACKWARD = 7, 30 + 3 + 6  # messages that come back
OTHERS = 2  # an answer, and an RPC whose payload can't be read: its trailer can


def worker(rank, size, store, library, way):
    rpc = workers.join("alone", rank, size, store)  # PyTorch unpickles only where RPC is set up
    round_trip = ctypes.CDLL(library).round_trip
    round_trip.restype = ctypes.c_char_p
    why = round_trip(way in ("write", "only"))
    rpc.shutdown()
    return why and why.decode(), workers.counts()


class RoundTrip(unittest.TestCase):
    def test_every_field_comes_back_in_every_mode(self):
        for way in workers.WAYS:
            with self.subTest(way):
                (why, counts), = workers.run(__file__, [way], *self.files, way)
                self.assertIsNone(why)
                _, trailers, _, pickles, copied = counts
                self.assertEqual((trailers, pickles, copied), {
                    "none": (0, 0, 0), "read": (0, FORWARD + BACKWARD, 0)}.get(
                        way, (FORWARD + BACKWARD + OTHERS, 0, 1)))


if __name__ == "__main__":
    workers.main(worker, RoundTrip)
