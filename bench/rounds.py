#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Evaluates rounds of requests: a line of numbers for each round, as rounds.hpp prints them.

    build/bench/ucx_latency tcp 20000 | bench/rounds.py tcp    # rows for transports/ucx/README.md
"""
import statistics
import sys

sys.dont_write_bytecode = True

from measure import table  # noqa: E402: no bytecode of it, either

# The kinds of requests, in the order of the programs end_to_end and ucx_latency.
VARIANTS = ["no metadata", "64 zeros", "gradtail", "pickled tuple"]
HEADERS = ["none", "64 plain bytes", "gradtail"]


def read(text, kinds):
    """{payload size: [the samples of each kind]}; a sample is a list of times in ns."""
    sizes = {}
    for line in text.splitlines():
        size, *times = map(int, line.split())
        width = len(times) // kinds
        sizes.setdefault(size, []).append(
            [times[at:at + width] for at in range(0, len(times), width)])
    return {size: list(zip(*rounds)) for size, rounds in sizes.items()}


def more(values, base):
    """The median difference in a round and its 95 % confidence interval, by the order alone."""
    differences = sorted(value - other for value, other in zip(values, base))
    reach, middle = round(0.98 * len(differences) ** 0.5), len(differences) // 2
    return [statistics.median(differences), differences[max(middle - reach, 0)],
            differences[min(middle + reach, len(differences) - 1)]]


def more_cell(interval):
    middle, low, high = (value / 1000 for value in interval)
    return f"{middle:+.2f} us ({low:+.2f} to {high:+.2f})"


def evaluate(text):
    """Of what end_to_end printed: the time and the CPU time of caller and server."""
    found = []
    for size, kinds in read(text, len(VARIANTS)).items():
        base_times, *base_cpu = zip(*kinds[0])
        for name, samples in zip(VARIANTS, kinds):
            times, *cpu = zip(*samples)
            line = {"payload": size, "name": name, "requests": len(times),
                    "ns": statistics.median(times), "p99": statistics.quantiles(times, n=100)[98],
                    "caller": statistics.median(cpu[0]), "server": statistics.median(cpu[1])}
            if name != VARIANTS[0]:
                line["more ns"] = more(times, base_times)
                line["more CPU"] = more(map(sum, zip(*cpu)), map(sum, zip(*base_cpu)))
            found.append(line)
    return found


def main():
    """Prints a table of what ucx_latency printed."""
    lines = []
    for size, kinds in read(sys.stdin.read(), len(HEADERS)).items():
        none, plain, trailer = ([ns for ns, in samples] for samples in kinds)
        for name, times, bases in zip(HEADERS, (none, plain, trailer), ([], [none], [none, plain])):
            cells = [more_cell(more(times, base)) for base in bases]
            lines.append([sys.argv[1], size, name, f"{statistics.median(times) / 1000:.1f} us",
                          *cells, *[""] * (2 - len(cells))])
    print(table(["transport", "payload", "header", "median", "more than none (95 %)",
                 "more than plain bytes (95 %)"], lines, ("transport", "header")))


if __name__ == "__main__":
    main()
