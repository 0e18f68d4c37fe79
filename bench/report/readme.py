# SPDX-License-Identifier: Apache-2.0
"""Puts the stored run into README.md, and the goals into bench/README.md, between two marks."""
import textwrap

from report import end_to_end, rows

BEGIN, END = "<!-- bench: written by tools/bench -->", "<!-- /bench -->"


def markdown(lines, align):
    head, *rest = ["| " + " | ".join(cells) + " |" for cells in lines]
    return [head, "| " + " | ".join(align) + " |"] + rest


def time_cell(results, row):
    if row not in results.rows:
        return ""
    return f"{results.median(row):.1f} ns ± {100 * results.spread(row):.1f} %"


def multiple_cell(results, row):
    ratio = results.ratio(row, rows.floor_of(row))
    return "" if ratio is None else f"{ratio:.1f}"


def peer_lines(results):
    yield ["", "write", "x floor", "read", "x floor", "bytes", "its reader doesn't check"]
    for name, write, read in rows.PEERS:
        if write in results.rows:
            cells = [time_cell(results, write), multiple_cell(results, write),
                     time_cell(results, read), multiple_cell(results, read),
                     str(results.rows[write].get("wire", "")), rows.NOT_CHECKED.get(read, "")]
            yield [f"**{name}**" if name == "gradtail" else name] + cells


def goal_lines(goals):
    yield ["goal", "measured", "bound", ""]
    for goal in goals:
        unit = goal["bound"].rpartition(" ")[2]
        yield [goal["goal"], f"{goal['measured']:g} {unit}".strip(), goal["bound"].strip(),
               "met" if goal["met"] else "**miss**"]


def measured_on(about):
    return (f"{about['machine']}; {about['system']}; {about['compiler']}; `{about['flags']}`; "
            f"commit {about['commit']}; {about['date']}; `{about['command']}`. Medians of CPU time "
            "with half the distance between the quartiles, loop included. The machine is shared: "
            "compare rows, not with numbers of other machines.")


def end_to_end_section(results):
    if not results.end_to_end:
        return []
    text = ("From end to end: request and response between two processes by libtorch's TensorPipeAgent "
            f"over TCP, {results.end_to_end[0]['requests']} times each way in turn. Medians; the "
            "differences are of the requests of one round, with 95 % confidence intervals. \"64 zeros\" has "
            "no metadata either: what that takes more is the price of 64 more bytes.")
    table = markdown(list(end_to_end.table_lines(results.end_to_end)),
                     ["--:", "---", "--:", "--:", "--:", "--:", "--:"])
    return ["", *textwrap.wrap(text, 104), "", *table, "",
            "![Time of a request](bench/results/end_to_end.svg)"]


def section(about, results):
    lines = markdown(peer_lines(results), ["---", "--:", "--:", "--:", "--:", "--:", "---"])
    lines += ["", "![Time to write and to read](bench/results/times.svg)", "",
              "![Size on the wire](bench/results/wire.svg)", ""]
    lines += textwrap.wrap(measured_on(about), 104, break_on_hyphens=False, break_long_words=False)
    return lines + end_to_end_section(results)


def replace(path, lines):
    before, begin, rest = path.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if begin and end:
        path.write_text(before + "\n".join([BEGIN, "", *lines, "", END]) + after)


def write(root, about, results, goals):
    replace(root / "README.md", section(about, results))
    replace(root / "bench/README.md", markdown(goal_lines(goals), ["---", "--:", "--:", "---"]))
