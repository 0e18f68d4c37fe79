# SPDX-License-Identifier: Apache-2.0
"""Compares a run with the stored one: gradtail's rows as multiples of the floor, and sizes."""
from report import measure, rows, store, table
from report.results import Results

TRIES = 3
WORSE = 1.25
PATTERN = "^(write|read|reject)/"
VALUES = ["text KiB"]


def multiples(results):
    """What is compared, by name; smaller is better."""
    found = {name: results.ratio(name, rows.floor_of(name)) for name in results.rows
             if rows.is_gradtail(name)}
    found.update({name: results.values[name] for name in VALUES if name in results.values})
    return found


def compare(stored, now):
    """(name, stored, now, factor) of all that both have."""
    return [(name, stored[name], now[name], now[name] / stored[name])
            for name in sorted(stored, key=rows.sort_key) if name in now]


def print_comparison(compared):
    lines = [["x floor", "stored", "now", "factor"]]
    lines += [[name, f"{before:.2f}", f"{after:.2f}", f"{factor:.2f}"]
              for name, before, after, factor in compared]
    print("\n".join(table.columns(lines, {0})))


def check(root, build, effort, measure_size):
    """0, or 1 where something is worse in each of three tries."""
    _, stored, _ = store.load(root)
    worse = None
    for count in range(1, TRIES + 1):
        results = Results()
        measure.measure_rows(results, build, effort, PATTERN)
        measure_size(results)
        compared = compare(multiples(stored), multiples(results))
        print_comparison(compared)
        found = {name for name, _, _, factor in compared if factor > WORSE}
        worse = found if worse is None else worse & found
        if not worse:
            print("\nnothing is worse by more than 25 %")
            return 0
        print(f"\ntry {count} of {TRIES}, worse by more than 25 %: {', '.join(sorted(worse))}")
    return 1
