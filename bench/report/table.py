# SPDX-License-Identifier: Apache-2.0
"""Prints what was measured: rows with median and spread, then the goals."""


def columns(rows):
    """Rows of cells as lines, the first column to the left and all others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    for cells in rows:
        first, *rest = (cell.ljust(width) if i == 0 else cell.rjust(width)
                        for i, (cell, width) in enumerate(zip(cells, widths)))
        yield "  ".join([first] + rest).rstrip()


def row_cells(results, name):
    row = results.rows[name]
    return [name, f"{results.median(name):.2f}", f"{100 * results.spread(name):.1f} %",
            str(row.get("wire", "")), str(row.get("instructions", ""))]


def print_rows(results):
    head = ["row", "median ns", "+-", "wire bytes", "instructions"]
    print("\n".join(columns([head] + [row_cells(results, name) for name in sorted(results.rows)])))


def goal_cells(goal, value, met):
    return [goal.what, f"{value:.4g} {goal.unit}", goal.bound(), "met" if met else "miss"]


def print_goals(judged):
    if judged:
        head = ["goal", "measured", "bound", ""]
        print("\n" + "\n".join(columns([head] + [goal_cells(*row) for row in judged])))
