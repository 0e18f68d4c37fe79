# SPDX-License-Identifier: Apache-2.0
"""The goals, each a ratio of rows of the same run, or a value: one table."""
import dataclasses
import typing


@dataclasses.dataclass
class Goal:
    what: str
    measured: typing.Callable  # of Results; None where it was not measured
    limit: float
    at_least: bool = False
    unit: str = "x"

    def met(self, value):
        return value >= self.limit if self.at_least else value <= self.limit

    def bound(self):
        return f"{'>=' if self.at_least else '<='} {self.limit:g} {self.unit}"


def slower(what, row, base, limit):
    """`row` takes at most `limit` times as long as `base`."""
    return Goal(what, lambda results: results.ratio(row, base), limit)


def faster(what, row, than, limit):
    """`row` is at least `limit` times as fast as `than`."""
    return Goal(what, lambda results: results.ratio(than, row), limit, at_least=True)


def flat(what, prefix, limit):
    """The slowest of the rows takes at most `limit` times as long as the quickest."""
    return Goal(what, lambda results: results.ratio(results.slowest(prefix),
                                                    results.quickest(prefix)), limit)


def slowest(what, prefix, base, limit):
    """The slowest of the rows takes at most `limit` times as long as `base`."""
    return Goal(what, lambda results: results.ratio(results.slowest(prefix), base), limit)


def time(what, row_of, limit):
    return Goal(what, lambda results: results.median(row_of(results)), limit, unit="ns")


def value(what, name, limit, unit, at_least=False):
    return Goal(what, lambda results: results.values.get(name), limit, at_least, unit)


def no_allocation(row):
    return value(f"allocations of {row}", f"allocations {row}", 0, "")


GOALS = [
    slower("write_trailer against the floor", "write/write_trailer", "write/floor", 2),
    slower("Trailer against the floor", "write/Trailer", "write/floor", 2),
    slower("append against the floor", "write/append", "write/floor", 2.5),
    slower("open against the floor", "read/open", "read/floor", 2.2),
    slower("open, misaligned against aligned", "read/open, misaligned", "read/open", 1.2),
    slower("open of 2 segments against open", "read/open, 2 segments", "read/open", 1.5),
    slower("write_trailer, 8 pairs against none", "write/write_trailer, 8 pairs",
           "write/write_trailer", 4),
    slower("open, 8 pairs against none", "read/open, 8 pairs", "read/open", 4),
    faster("write_trailer against FlatBufferBuilder", "write/write_trailer",
           "write/FlatBufferBuilder, reused", 8),
    faster("open against FlatBuffers Verifier", "read/open", "read/FlatBuffers Verifier", 2),
    faster("append against PyTorch", "write/append", "write/PyTorch", 400),
    faster("open against PyTorch", "read/open", "read/PyTorch", 400),
    flat("write, payload 64 B to 256 MiB", "payload/write", 1.1),
    flat("open, payload 64 B to 256 MiB", "payload/open", 1.1),
    flat("strip, payload 64 B to 256 MiB", "payload/strip", 1.1),
    time("open, 128 pairs", lambda _: "read/open, 128 pairs", 1000),
    slower("open, 128 pairs against none", "read/open, 128 pairs", "read/open", 80),
    time("slowest rejected message", lambda results: results.slowest("reject/"), 1000),
    slowest("slowest rejected message against open", "reject/", "read/open", 80),
    *map(no_allocation, ["write/write_trailer", "write/Trailer", "read/open", "read/strip"]),
    value("text of the stripped library", "text KiB", 40, "KiB"),
    value("compile time against standard headers", "compile time", 1.25, "x"),
]


def judge(results):
    """(goal, value, met) of all goals; value and met are None where it was not measured."""
    values = [(goal, goal.measured(results)) for goal in GOALS]
    return [(goal, value, None if value is None else goal.met(value)) for goal, value in values]
