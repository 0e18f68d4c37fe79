#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a worker does with RPCs that no PyTorch would send, plain and preloaded.

Usage: hostile_test.py LIBGRADTAIL_PYTORCH.SO RAW_RPC.SO [DEPTH]

Every RPC must end in an error that names the cause, and the worker must serve an honest one
afterwards. DEPTH (1000) is how deep the nest is that a plain worker gets too: of 8000 it takes some
seconds and gigabytes.
"""
import ctypes
import json
import pathlib
import resource
import sys
import time

import workers

VICTIM, ATTACKER = "victim", "attacker"
TRAILER = 64  # bytes, of an honest message
NO_FORM = "ends neither in a trailer nor in PyTorch's pickled tuple"
# Kind of message, its number, what a preloaded worker answers (None: takes it).
CASES = [
    ("honest", 0, None),
    ("trailer-nest", 4, None),
    ("trailer-nest", 5, "more than 4 wrappings"),
    ("trailer-nest", 8000, "more than 4 wrappings"),
    ("tuple-nest", 4, None),
    ("tuple-nest", 5, "more than 4 wrappings"),
    ("worker", 70000, "worker 70000"),
    ("worker", 32768, "worker 32768"),
    ("worker", 32767, None),
    ("worker", -1, "lacks its from_worker_id"),
    ("context", -1, "lacks its context_id"),
    ("message", -1, "lacks its message_id"),
    ("type", 0, "lacks its wrapped_message_type"),
    ("type", 70000, "wrapped_message_type 70000"),
    ("type", 0x3ff, "not supported"),
    ("device", 63, "device type 63"),
    ("empty", 0, "nothing before it"),
    ("first-cut", 0, "corrupt"),
    *[("cut", size, NO_FORM) for size in range(1, TRAILER + 1)],
    *[("short", size, NO_FORM) for size in (0, 1, 7, 8, 9)],
]


def memory():
    """The most that this process has taken so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def attack(raw_rpc, depth, preloaded):
    """What the victim says to each case, and what the two known ones cost it."""
    def send(kind, number):
        said = raw_rpc(0, kind.encode(), number)
        return said.decode() if said else None

    from torch.distributed import rpc
    said = {"worker": send("tuple-worker", 70000)}
    before, start = rpc.rpc_sync(VICTIM, memory), time.monotonic()
    said["nest"] = send("tuple-nest", depth)
    said["seconds"] = time.monotonic() - start
    said["mebibytes"] = rpc.rpc_sync(VICTIM, memory) - before
    if preloaded:
        said["cases"] = [send(kind, number) for kind, number, _ in CASES]
        said["flips"] = [send("flip", bit) for bit in range(8 * TRAILER)]
        said["afterwards"] = send("honest", 0)
    return said


def worker(rank, size, store, library, depth, preloaded):
    raw_rpc = ctypes.CDLL(library).raw_rpc if rank == 1 else None
    rpc = workers.join([VICTIM, ATTACKER][rank], rank, size, store)
    if raw_rpc:
        raw_rpc.restype = ctypes.c_char_p
        raw_rpc.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int64]
        print(json.dumps(attack(raw_rpc, depth, preloaded)))
    rpc.shutdown()


def first_line(error):
    return "accepted" if error is None else f"refused: {error.strip().splitlines()[0]}"


def check(said):
    """The names of the cases that went wrong."""
    for (kind, number, expected), error in zip(CASES, said["cases"]):
        print(f"{kind} {number}: {first_line(error)}")
        right = error is None if expected is None else error and expected in error
        if not right:
            yield f"{kind} {number}"
    yield from (f"flip {bit}" for bit, error in enumerate(said["flips"])
                if error is None or "gradtail" not in error)
    if said["afterwards"] is not None:
        yield "an honest RPC afterwards"
    if not (said["nest"] and "more than 4 wrappings" in said["nest"]):
        yield "the nest of tuples"


def main(library, raw_rpc, depth=1000):
    told = {}
    for way in ("none", "write", "only"):
        told[way] = workers.run(__file__, [way, "none"], pathlib.Path(library).resolve(),
                                pathlib.Path(raw_rpc).resolve(), depth,
                                int(way == "write"))[1]
        said = told[way]
        print(f"{way}: a tuple of worker 70000: {first_line(said['worker'])}")
        print(f"{way}: a nest of {depth} tuples: {first_line(said['nest'])} after "
              f"{said['seconds']:.2f} s and {said['mebibytes']:.0f} MiB")
    wrong = list(check(told["write"]))
    if told["none"]["worker"] or told["none"]["nest"]:
        wrong.append("PyTorch by itself takes both")
    for way in ("write", "only"):
        if told[way]["seconds"] > 5 or told[way]["mebibytes"] > 100:
            wrong.append(f"the nest's cost in mode {way}")
    if told["only"]["worker"] is None or told["only"]["nest"] is None:
        wrong.append("tuples in mode only")
    for name in wrong:
        print("FAILED:", name)
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) in (3, 4):
        sys.exit(main(*sys.argv[1:3], *map(int, sys.argv[3:])))
    worker(*map(int, sys.argv[1:3]), *sys.argv[3:5], int(sys.argv[5]), int(sys.argv[6]) == 1)
