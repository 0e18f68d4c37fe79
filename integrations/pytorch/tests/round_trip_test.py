#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every field that PyTorch puts into a message comes back, in each mode, and the message keeps its
bytes.

Usage: round_trip_test.py LIBGRADTAIL_PYTORCH.SO ROUND_TRIP.SO
"""
import ctypes
import json
import pathlib
import sys

import workers


def worker(rank, size, store, library, way):
    rpc = workers.join("alone", rank, size, store)  # PyTorch unpickles only where RPC is set up
    round_trip = ctypes.CDLL(library).round_trip
    round_trip.restype = ctypes.c_char_p
    why = round_trip(way in ("write", "only"))
    rpc.shutdown()
    print(json.dumps([why and why.decode(), workers.counts()]))


FORWARD, BACKWARD = 7, 30 + 3 + 6  # messages that come back
OTHERS = 2  # an answer, and an RPC whose payload can't be read: its trailer can


def wrong(way, why, counts):
    """A complaint, or None. Counts: trailers sent and received, pickles, payloads copied."""
    if why:
        return why
    trailers, pickles, copied = counts[1], counts[3], counts[4]
    expected = {"none": (0, 0, 0), "read": (0, FORWARD + BACKWARD, 0)}.get(
        way, (FORWARD + BACKWARD + OTHERS, 0, 1))
    if (trailers, pickles, copied) != expected:
        return f"counts {counts}, expected {expected}"
    return None


def main(library, round_trip):
    failed = 0
    for way in workers.WAYS:
        why = wrong(way, *workers.run(__file__, [way], pathlib.Path(library).resolve(),
                                      pathlib.Path(round_trip).resolve(), way)[0])
        failed += why is not None
        print(f"{way}: {why or 'ok'}")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) == 3:
        sys.exit(main(*sys.argv[1:]))
    worker(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
