# SPDX-License-Identifier: Apache-2.0
"""What one run measured: times of rows by round, and single values; and the ratios between them."""
import statistics


class Results:
    """Each row has a list of rounds, each round a list of times in ns, one for each repetition.

    Within a round all rows are run in random order, so what disturbs the machine for longer than
    that disturbs all rows of the round. Ratios are therefore taken round by round, between medians,
    and the median of those counts.
    """

    def __init__(self, rows=None, values=None, end_to_end=None):
        self.rows = rows or {}
        self.values = values or {}
        self.end_to_end = end_to_end or []

    def add(self, name, times, **more):
        row = self.rows.setdefault(name, {"rounds": []})
        row["rounds"].append(times)
        row.update(more)

    def names(self, prefix):
        return [name for name in self.rows if name.startswith(prefix)]

    def times(self, name):
        return [time for times in self.rows[name]["rounds"] for time in times]

    def median(self, name):
        return statistics.median(self.times(name)) if name in self.rows else None

    def spread(self, name):
        """Half the distance between the quartiles, as a part of the median."""
        low, median, high = statistics.quantiles(self.times(name), n=4)
        return (high - low) / 2 / median

    def ratio(self, one, other):
        """How many times as long `one` takes; None where either was not measured."""
        if one not in self.rows or other not in self.rows:
            return None
        rounds = zip(self.rows[one]["rounds"], self.rows[other]["rounds"])
        return statistics.median(statistics.median(a) / statistics.median(b) for a, b in rounds)

    def slowest(self, prefix):
        return max(self.names(prefix), key=self.median, default=None)

    def quickest(self, prefix):
        return min(self.names(prefix), key=self.median, default=None)
