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


def value(what, name, limit, unit, at_least=False):
    return Goal(what, lambda results: results.values.get(name), limit, at_least, unit)


GOALS = [
    slower("write_trailer to the floor", "write/write_trailer", "write/floor", 2),
    slower("Trailer to the floor", "write/Trailer", "write/floor", 2),
    slower("append to the floor", "write/append", "write/floor", 2.5),
    slower("open to the floor", "read/open", "read/floor", 2.2),
    slower("open of a misaligned message to open", "read/open, misaligned", "read/open", 1.2),
    slower("open of 2 segments to open", "read/open, 2 segments", "read/open", 1.5),
    slower("write_trailer with 8 pairs to without", "write/write_trailer, 8 pairs",
           "write/write_trailer", 4),
    slower("open with 8 pairs to without", "read/open, 8 pairs", "read/open", 4),
]


def judge(results):
    """(goal, value, met) of all goals that were measured."""
    values = [(goal, goal.measured(results)) for goal in GOALS]
    return [(goal, value, goal.met(value)) for goal, value in values if value is not None]
