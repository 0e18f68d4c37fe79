#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every field that PyTorch puts into a message comes back, in each mode, and the message stays.

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
    counts = [0] * 5
    if way != "none":
        read = ctypes.CDLL(None).gradtail_pytorch_counts
        read.restype = ctypes.POINTER(ctypes.c_uint64)
        counts = read()[:5]
    rpc.shutdown()
    print(json.dumps([why and why.decode(), counts]))


def wrong(way, why, counts):
    """What there is to complain of. Counts: trailers sent and received, tuples, payloads copied."""
    if why:
        return why
    trailers, tuples, copied = counts[1], counts[3], counts[4]
    expected = {"none": (0, 0, 0), "read": (0, 7, 0)}.get(way, (7, 0, 1))
    if (trailers, tuples, copied) != expected:
        return f"counts {counts}"
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
