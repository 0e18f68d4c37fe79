#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times the Python package beside pickle and struct, which check nothing.

    bench/python.py --save    # writes the table of docs/python.md; needs gradtail installed

Each row does one job: put metadata of four scalars behind a payload of 1 KiB, or get it back out of
a received message, with a view of the payload.
"""

import argparse
import pickle
import platform
import statistics
import struct
import sys
import time
import timeit

import gradtail

sys.dont_write_bytecode = True

import pages  # noqa: E402: no bytecode of it, either
from measure import commit, cpu, table  # noqa: E402

PAYLOAD = bytes(1024)
VALUES = ((1 << 48) + 5, (2 << 48) + 7, 2, 271)
FORMAT = struct.Struct("<qqiI")
ROUNDS = 400
CALLS = 1000


def write_gradtail():
    context, message, worker, kind = VALUES
    metadata = gradtail.AutogradMetadata(context_id=context, message_id=message,
                                         from_worker_id=worker, wrapped_message_type=kind)
    return gradtail.trailer(metadata, len(PAYLOAD))


def read_gradtail():
    message = gradtail.open(MESSAGE)
    m = message.metadata
    return m.context_id, m.message_id, m.from_worker_id, m.wrapped_message_type, message.payload


def write_pickle():
    data = pickle.dumps(VALUES)
    return data + len(data).to_bytes(8, "big")


def read_pickle():
    view = memoryview(PICKLED)
    end = len(view) - 8
    begin = end - int.from_bytes(view[end:], "big")
    return *pickle.loads(view[begin:end]), view[:begin]


def write_struct():
    return FORMAT.pack(*VALUES)


def read_struct():
    view = memoryview(PACKED)
    begin = len(view) - FORMAT.size
    return *FORMAT.unpack_from(view, begin), view[:begin]


MESSAGE = PAYLOAD + write_gradtail()
PICKLED = PAYLOAD + write_pickle()
PACKED = PAYLOAD + write_struct()
ROWS = {
    "struct, unchecked": (write_struct, read_struct, len(write_struct())),
    "pickle.dumps of a tuple, unchecked": (write_pickle, read_pickle, len(write_pickle())),
    "**gradtail**": (write_gradtail, read_gradtail, len(write_gradtail())),
}


def measure():
    """CPU time of each function in ns, round by round, so that a busy moment hits all of them."""
    times = {function: [] for row in ROWS.values() for function in row[:2]}
    for _ in range(ROUNDS):
        for function, taken in times.items():
            seconds = timeit.timeit(function, timer=time.process_time, number=CALLS)
            taken.append(seconds / CALLS * 1e9)
    return times


def cell(taken):
    low, middle, high = statistics.quantiles(taken, n=4)
    return f"{middle:.0f} ns ± {50 * (high - low) / middle:.0f} %"


def report():
    for row in ROWS.values():
        assert row[1]()[:4] == VALUES and bytes(row[1]()[4]) == PAYLOAD
    times = measure()
    lines = [[name, cell(times[write]), cell(times[read]), size]
             for name, (write, read, size) in ROWS.items()]
    return (f"{table(['', 'write', 'read', 'bytes'], lines)}\n\n"
            f"{cpu()}; {platform.python_implementation()} {platform.python_version()}; commit "
            f"{commit()}; `bench/python.py`; medians of CPU time in {ROUNDS} rounds with half the "
            "distance between the quartiles.")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--save", action="store_true", help="write the table of docs/python.md")
    arguments = parser.parse_args()
    made = report()
    print(made)
    if arguments.save:
        pages.replace("docs/python.md", {"python": made})


if __name__ == "__main__":
    main()
