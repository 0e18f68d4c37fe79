# SPDX-License-Identifier: Apache-2.0
"""Prints what was measured: rows with median and spread, then the goals."""
from report import end_to_end, rows

NOTES = """
median ns: CPU time of one run with a payload of 1 KiB, over all repetitions. +-: half the distance
between the quartiles. x floor: median of the rounds' ratios. All rows include the loop.
instructions: counted by callgrind, loop included. Peers' tables have gradtail's footer around them,
but for struct, floor and PyTorch, so length, version and checksum are checked; what else their
readers do not check is in the last column."""


def columns(lines, left):
    """Rows of cells as lines; the columns in `left` are flush left, the others right."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    for cells in lines:
        padded = [cell.ljust(width) if i in left else cell.rjust(width)
                  for i, (cell, width) in enumerate(zip(cells, widths))]
        yield "  ".join(padded).rstrip()


def row_cells(results, name):
    row = results.rows[name]
    base = None if name.startswith(("payload/", "loop")) else rows.floor_of(name)
    ratio = results.ratio(name, base)
    return [rows.label(name), f"{results.median(name):.2f}", f"{100 * results.spread(name):.1f} %",
            "" if ratio is None else f"{ratio:.2f}", str(row.get("wire", "")),
            str(row.get("instructions", "")), rows.NOT_CHECKED.get(name, "")]


def print_rows(results):
    head = ["row", "median ns", "+-", "x floor", "wire bytes", "instructions", "not checked"]
    names = sorted(results.rows, key=rows.sort_key)
    lines = columns([head] + [row_cells(results, name) for name in names], {0, 6})
    print("\n".join(lines) + "\n" + NOTES)


def goal_cells(goal, value, met):
    if value is None:
        return [goal.what, "not measured", goal.bound(), ""]
    return [goal.what, f"{value:.4g} {goal.unit}", goal.bound(), "met" if met else "miss"]


def print_goals(judged, with_unmeasured):
    judged = [row for row in judged if with_unmeasured or row[1] is not None]
    if judged:
        head = ["goal", "measured", "bound", ""]
        print("\n" + "\n".join(columns([head] + [goal_cells(*row) for row in judged], {0, 3})))


def print_end_to_end(results):
    if results.end_to_end:
        print("\nrequests between two processes")
        print("\n".join(columns(list(end_to_end.table_lines(results.end_to_end)), {0, 1})))
